/**
 * Cuts a stream into lines under a bound: a line that is longer is passed on in pieces, so that a peer which never ends its line
 * costs us no more memory than `bytesMax`.
 */
export function createLineSplitter(bytesMax: number, onLine: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  let rest: Buffer[] = [];
  let restBytes = 0;

  const emit = (): void => {
    if (restBytes === 0) return;
    const line = Buffer.concat(rest).toString('utf8');
    rest = [];
    restBytes = 0;
    onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
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
  };
}
