/** How many packs may be in hand, when what is bounded is work and memory, and nobody knows what the next packs hold. */
export interface Room {
  /** The load that the next packs are expected to be, from those that came. */
  expect(load: number): void;
  /** Packs that may be in hand, given those that are and what of their load is still open. */
  packsMax(inHand: { packs: number; load: number }): number;
}

export interface RoomLimits {
  loadMax: number;
  packsMax: number;
  /** Expected of the first pack: the heaviest, since a long queue may wait. */
  loadFirst: number;
}

/** Newer packs count this much in the expectation. */
const weight = 1 / 8;
/** So many bytes weigh as much as one message. */
const bytesOfOne = 16_384;

export function createRoom(limits: RoomLimits): Room {
  let expected = limits.loadFirst;
  return {
    expect(load) {
      expected += (load - expected) * weight;
    },
    packsMax({ packs, load }) {
      const more = Math.floor((limits.loadMax - load) / Math.max(1, expected));
      // Never none at all: one pack at a time always goes on.
      return Math.max(1, Math.min(limits.packsMax, packs + Math.max(0, more)));
    },
  };
}

/** What a pack weighs: its messages, or more when they are large. */
export function loadOf(messages: number, bytes: number): number {
  return Math.max(messages, bytes / bytesOfOne);
}
