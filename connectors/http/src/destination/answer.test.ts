import { deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { AnswerStart } from './answer.ts';

function taken(chunks: Buffer[], encoding?: string, sensitive: string[] = []): string {
  const answer = new AnswerStart();
  for (const chunk of chunks) answer.add(chunk);
  return Buffer.from(answer.take(encoding, sensitive)).toString();
}

test('an answer is cut to its first KiB', () => {
  expect(taken([Buffer.alloc(600, 'a'), Buffer.alloc(600, 'b'), Buffer.alloc(1_000_000, 'c')])).toBe('a'.repeat(600) + 'b'.repeat(424));
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
])('one in %s is inflated, also when only its beginning is there', (encoding, compress) => {
  expect(taken([compress('it is stored')], encoding)).toBe('it is stored');
  const long = compress(Buffer.from(Array.from({ length: 60_000 }, (_, i) => `${i * 7919},`).join('')));
  expect(taken([long], encoding)).toMatch(/^0,7919,15838,.{1000}/);
});

test('a decompression bomb becomes 1 KiB', () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const before = process.memoryUsage().arrayBuffers;
  expect(taken([bomb], 'gzip')).toHaveLength(1_024);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32_000_000);
});

test('one that is not what it says is left as it is', () => {
  expect(taken([Buffer.from('plain')], 'gzip')).toBe('plain');
  expect(taken([Buffer.from('plain')], 'br')).toBe('plain');
});

test('a secret that the receiver repeats is cut out, also compressed and also twice', () => {
  expect(taken([Buffer.from('you sent secret-value, secret-value!')], undefined, ['secret-value'])).toBe('you sent [redacted], [redacted]!');
  expect(taken([gzipSync('you sent secret-value')], 'gzip', ['secret-value'])).toBe('you sent [redacted]');
  expect(taken([Buffer.from('ß s3crét-value')], undefined, ['s3crét-value'])).toBe('ß [redacted]');
});

test('a secret at the edge of what is kept leaves none of its beginning', () => {
  const secret = 'S3CRET-'.repeat(300);
  for (const at of [0, 500, 1_010, 1_020, 2_500, 3_000]) {
    const text = taken([Buffer.from(`${'x'.repeat(at)}${secret}${secret}`)], undefined, [secret]);
    expect(text).not.toContain('S3CRET-');
  }
});
