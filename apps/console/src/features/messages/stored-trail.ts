import type { TrailState, TrailStep } from '@vrsky/contracts/trail';

/** What the projector writes into the JSON columns of `message`, and what the pages read from them. */

/** `message.steps`: as the node reported them. */
export type StoredStep = TrailStep;

/** One try at one destination. Absent values are left out, as in the trail record. */
export interface StoredAttempt {
  attempt: number;
  nodeId: string;
  state: TrailState;
  /** When the node wrote it down. */
  atMs: number;
  startedAtMs?: number;
  durationUs?: number;
  peerStatus?: number;
  peerAnswer?: string;
  code?: string;
  reason?: string;
  nextAtMs?: number;
  /** The message that the receiver's answer became. */
  answerId?: string;
  /** In strict order: at least so many messages wait behind this one. */
  behind?: number;
}

/** `message.destinations`: by destination, its tries in order. */
export interface StoredDestination {
  id: string;
  state: TrailState;
  attempts: StoredAttempt[];
}
