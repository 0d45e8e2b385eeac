import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { AnswerBody } from './answer.ts';

const brotli = (data: string | Buffer): Buffer => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } });

function taken(chunks: Buffer[], encoding?: string, sensitive: string[] = []): string {
  const answer = new AnswerBody(0);
  for (const chunk of chunks) answer.add(chunk);
  return Buffer.from(answer.start(encoding, sensitive)).toString();
}

test('an answer is cut to its first KiB', () => {
  expect(taken([Buffer.alloc(600, 'a'), Buffer.alloc(600, 'b'), Buffer.alloc(1_000_000, 'c')])).toBe('a'.repeat(600) + 'b'.repeat(424));
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotli],
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

describe('an answer that goes on', () => {
  const whole = (chunks: Buffer[], o: { bytesMax?: number; encoding?: string; sensitive?: string[] } = {}): string => {
    const answer = new AnswerBody(o.bytesMax ?? 10_000);
    for (const chunk of chunks) answer.add(chunk);
    const found = answer.whole(o.encoding, o.sensitive ?? []);
    return found.kind === 'whole' ? Buffer.from(found.bytes).toString() : found.kind;
  };

  test('is all there, in how many pieces it came and however it was compressed', () => {
    const text = 'x'.repeat(9_999);
    expect(whole([Buffer.from(text.slice(0, 5_000)), Buffer.from(text.slice(5_000))])).toBe(text);
    for (const [encoding, compress] of Object.entries({ gzip: gzipSync, deflate: deflateSync, br: brotli, zstd: zstdCompressSync }))
      expect(whole([compress(text)], { encoding })).toBe(text);
    expect(whole([])).toBe('');
    expect(whole([], { encoding: 'gzip' })).toBe('');
  });

  test('is as long as asked for and no byte longer, also inflated', () => {
    expect(whole([Buffer.alloc(10_000, 'x')])).toHaveLength(10_000);
    expect(whole([Buffer.alloc(10_001, 'x')])).toBe('too_long');
    expect(whole([gzipSync(Buffer.alloc(10_000, 'x'))], { encoding: 'gzip' })).toHaveLength(10_000);
    for (const [encoding, compress] of Object.entries({ gzip: gzipSync, br: brotli, zstd: zstdCompressSync }))
      expect(whole([compress(Buffer.alloc(10_001, 'x'))], { encoding })).toBe('too_long');
  });

  test('that is a decompression bomb takes no more memory than asked for', () => {
    const bombs = Object.entries({ gzip: gzipSync, br: brotli, zstd: zstdCompressSync }).map(([encoding, compress]) => ({
      encoding,
      bomb: compress(Buffer.alloc(50_000_000)),
    }));
    const before = process.memoryUsage().arrayBuffers;
    for (const { encoding, bomb } of bombs) expect(whole([bomb], { encoding, bytesMax: 1_000_000 })).toBe('too_long');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000);
  });

  test('and cannot be inflated is known to be so', () => {
    expect(whole([Buffer.from('plain')], { encoding: 'gzip' })).toBe('unreadable');
    expect(whole([Buffer.from('plain')], { encoding: 'br' })).toBe('unreadable');
    expect(whole([Buffer.from('plain')], { encoding: 'compress' })).toBe('unreadable');
  });

  test('and breaks off within its compression is not taken for a shorter one', () => {
    const text = Array.from({ length: 500 }, (_, i) => i * 7_919).join();
    for (const [encoding, compress] of Object.entries({ gzip: gzipSync, deflate: deflateSync, br: brotli, zstd: zstdCompressSync })) {
      const bytes = compress(text);
      expect(whole([bytes.subarray(0, bytes.length - 5)], { encoding }), encoding).toBe('unreadable');
    }
  });

  test('has no credential, and keeps an end that only begins like one', () => {
    expect(whole([Buffer.from('it was secret-value; not secret')], { sensitive: ['secret-value'] })).toBe('it was [redacted]; not secret');
  });
});
