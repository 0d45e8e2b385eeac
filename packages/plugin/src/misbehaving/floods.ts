const KIB = 1_024;

/** Writes one thing as fast as the host takes it, and serves its calls in between. */
function pourOut(chunk: Buffer): void {
  process.stderr.write(chunk);
  setImmediate(pourOut, chunk);
}

const odd = [
  '{"@level":1,"@message":"a number for a level"}',
  '{"@level":"info","@message":{"text":"an object for a message"}}',
  '{"@level":"info","@message":"a list for a module","@module":["x"]}',
  '{"@level":"info","@message":"keys of the host","level":"fatal","time":0,"tenant":"cus_other","pid":1,"plugin":{"name":"other"},"__proto__":{"polluted":true}}',
  `{"@level":"info","@message":"deep","x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  'null',
  '[]',
  '{',
];

/** What a plugin may write on stderr, by its name. */
export const floods: Record<string, () => void> = {
  'floods-its-log': () => pourOut(Buffer.from(`{"@level":"info","@message":"${'x'.repeat(90)}"}\n`.repeat(2_000))),
  'floods-its-log-with-empty-words': () => pourOut(Buffer.from('x\n'.repeat(128 * KIB))),
  'floods-its-log-without-an-end-of-line': () => pourOut(Buffer.alloc(256 * KIB, 'x')),
  'writes-no-utf-8': () => void process.stderr.write(Buffer.from([0xff, 0xfe, 0x80, 10, 0xc3, 10, 27, 91, 50, 74, 10])),
  'writes-odd-log-lines': () => void process.stderr.write(`${odd.join('\n')}\n`),
};
