/** A module that cannot be metered: who is to blame, where, and why, in words for the module's author. */
export class MeteringError extends Error {
  /** Index of the function in the module, imports included; undefined when the trouble is outside of functions. */
  readonly functionIndex: number | undefined;
  /** Offset in the module's bytes. */
  readonly offset: number | undefined;
  readonly reason: string;

  constructor(reason: string, at: { functionIndex?: number | undefined; offset?: number | undefined } = {}) {
    const where = [
      at.functionIndex === undefined ? '' : `function ${at.functionIndex}`,
      at.offset === undefined ? '' : `offset 0x${at.offset.toString(16)}`,
    ].filter((part) => part !== '');
    super(where.length === 0 ? reason : `${where.join(', ')}: ${reason}`);
    this.name = 'MeteringError';
    this.functionIndex = at.functionIndex;
    this.offset = at.offset;
    this.reason = reason;
  }
}
