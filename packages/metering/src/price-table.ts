/**
 * What an executed WebAssembly instruction costs. A bill names the version, so the prices of a version never change.
 * `docs/instructions.md` says the same to customers.
 */
export const priceTable = {
  version: 1,
  /** Every instruction that is not listed below. */
  other: 1,
  /** Structure that compiles to nothing: unreachable, nop, block, loop, try, catch, delegate, else, end, return, drop. */
  structural: 0,
  /** throw and rethrow: finding who catches takes an engine about a microsecond. */
  throw: 1000,
  /** memory.copy, memory.fill and memory.init cost this much more for every 8 bytes. */
  perEightBytes: 1,
  /** table.copy, table.fill, table.init and table.grow cost this much more for every element. */
  perTableElement: 16,
  /** memory.grow costs this much more for every page of 64 KiB that is asked for. */
  perPage: 1024,
  /**
   * A call of a function of the platform costs this much more, and `perEightBytes` for every 8 bytes that it takes or gives. The
   * platform charges it while the call is under way.
   */
  hostCall: 100,
  /** Every byte of JSON that the platform reads or writes for a step. */
  perJsonByte: 32,
} as const;

/** What reading or writing so much JSON for a step costs, the call included. */
export function jsonPrice(bytes: number): number {
  return priceTable.hostCall + priceTable.perJsonByte * bytes;
}

/** What a call of a function of the platform costs besides the call itself. */
export function hostCallPrice(bytes: number): number {
  return priceTable.hostCall + priceTable.perEightBytes * Math.floor(bytes / 8);
}

const structural = new Set([0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0b, 0x0f, 0x18, 0x19, 0x1a]);
const throws = new Set([0x08, 0x09]);

const priceOf = (opcode: number): number => (structural.has(opcode) ? priceTable.structural : throws.has(opcode) ? priceTable.throw : priceTable.other);

/** The fixed part of the price, by the instruction's first byte. */
export const fixedPrice: Uint16Array = Uint16Array.from({ length: 256 }, (_, opcode) => priceOf(opcode));
