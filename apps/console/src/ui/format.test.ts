import { describe, expect, test } from 'vitest';
import { formatBytes, formatCount, formatMicros, formatMillis, formatRelative, shortenMiddle } from './format.ts';

const plain = (text: string) => text.replaceAll(/\u00a0/g, ' ');

describe('format', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_240, '1.2 kB'],
    [48_400, '48 kB'],
    [1_048_576, '1.0 MB'],
  ])('%d bytes read %s', (bytes, text) => expect(plain(formatBytes(bytes))).toBe(text));

  test.each([
    [180, '180 µs'],
    [4_210, '4.2 ms'],
    [5_000, '5 ms'],
    [1_500_000, '1.5 s'],
    [125_000_000, '2 min 5 s'],
  ])('%d microseconds read %s', (us, text) => expect(plain(formatMicros(us))).toBe(text));

  test('long spans keep two units, and one when the other is nothing', () => {
    expect(plain(formatMillis(3_725_000))).toBe('1 h 2 min');
    expect(plain(formatMillis(60_000))).toBe('1 min');
  });

  test('one is not plural, thousands are separated', () => {
    expect(plain(formatCount(1, 'message'))).toBe('1 message');
    expect(plain(formatCount(12_345, 'message'))).toBe('12,345 messages');
  });

  test('both ends of an id stay', () => expect(shortenMiddle('msg_01jd8kq2w3e4r5t6y7u8i9o0')).toBe('msg_01jd8…8i9o0'));

  test.each([
    [500, 'now'],
    [12_000, '12 s ago'],
    [240_000, '4 min ago'],
    [7_300_000, '2 h ago'],
    [-8_000, 'in 8 s'],
  ])('%d ms back reads %s', (back, text) => expect(plain(formatRelative(1_700_000_000_000 - back, 1_700_000_000_000))).toBe(text));
});
