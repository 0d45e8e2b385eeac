export interface Random {
  /** 0 to `max`, both included. */
  integer(max: number): number;
  pick<T>(items: readonly T[]): T;
  /** Safe integers of every length in bits, borders of the varint lengths included. */
  number(): number;
  text(): string;
  bytes(length: number): Buffer;
  list<T>(max: number, make: (random: Random) => T): T[];
}

/** A deterministic source (mulberry32): a failing test names its seed and fails again. */
export function randomSource(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (max: number): number => Math.floor(next() * (max + 1));
  const pick = <T>(items: readonly T[]): T => items[integer(items.length - 1)] as T;
  return {
    integer,
    pick,
    number: (): number =>
      pick([0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35 - 1, Number.MAX_SAFE_INTEGER, integer(2 ** 20), integer(2 ** 50)]),
    text: (): string =>
      pick(['', 'a', 'pip_01/source', 'x'.repeat(integer(200)), 'ü'.repeat(integer(130)), '✓ 𝄞 é', '\u0000', '\ufffd', `${integer(2 ** 40)}`]),
    bytes: (length: number): Buffer => Buffer.from(Array.from({ length }, () => integer(255))),
    list(max, make) {
      return Array.from({ length: integer(max) }, () => make(this));
    },
  };
}
