export interface LineSplitter {
  push(chunk: Buffer): void;
  end(): void;
  /** Forgets the line that has no end yet; answers its bytes. */
  clear(): number;
}

/**
 * Cuts a stream into lines under a bound: a line that is longer is passed on in pieces, so that a peer which never ends its line
 * costs us no more memory than `bytesMax`. Lines are passed on without their end, as bytes, which are valid until the next push.
 */
export function createLineSplitter(bytesMax: number, onLine: (line: Buffer) => void): LineSplitter {
  let rest: Buffer[] = [];
  let restBytes = 0;

  const take = (): Buffer => {
    const line = rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest);
    rest = [];
    restBytes = 0;
    return line;
  };
  const emit = (): void => {
    if (restBytes === 0) return;
    const line = take();
    onLine(line.at(-1) === 13 ? line.subarray(0, -1) : line);
  };
  const keep = (part: Buffer): void => {
    let from = 0;
    while (from < part.length) {
      const to = Math.min(part.length, from + bytesMax - restBytes);
      rest.push(part.subarray(from, to));
      restBytes += to - from;
      from = to;
      if (restBytes >= bytesMax) emit();
    }
  };
  return {
    push(chunk) {
      let from = 0;
      for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, to));
        emit();
        from = to + 1;
      }
      keep(chunk.subarray(from));
    },
    end: emit,
    clear: () => take().length,
  };
}
