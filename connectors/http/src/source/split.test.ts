import { describe, expect, test } from 'vitest';
import { splitArray, splitLines } from './split.ts';

const texts = (parts: Buffer[]): string[] => parts.map(String);

describe('an array', () => {
  test.each<[string, string[]]>([
    ['[]', []],
    [' [ ] ', []],
    ['[1]', ['1']],
    [' [ 1.0 , {"a":[1,2],"b":"],\\"["} ,[3,[4]], "x\\\\" ] ', ['1.0', '{"a":[1,2],"b":"],\\"["}', '[3,[4]]', '"x\\\\"']],
    ['[{"id":12345678901234567890}]', ['{"id":12345678901234567890}']],
    ['["☃","é"]', ['"☃"', '"é"']],
  ])('%s keeps its entries byte for byte', (body, parts) => {
    expect(texts(splitArray(Buffer.from(body), 10))).toEqual(parts);
  });

  test.each(['', '{}', '[1', '[1,]', '1', '"[1]"', '\u{feff}nope'])('%j is none', (body) => {
    expect(() => splitArray(Buffer.from(body), 10)).toThrow('not a JSON array');
  });
});

describe('lines', () => {
  test.each<[string, string[]]>([
    ['', []],
    ['\n\r\n  \n', []],
    ['{"a":1}\n{"b": 2}\r\n\n[3]', ['{"a":1}', '{"b": 2}', '[3]']],
    ['1\n', ['1']],
  ])('%j', (body, parts) => {
    expect(texts(splitLines(Buffer.from(body), 10))).toEqual(parts);
  });

  test('one that is not JSON is named', () => {
    expect(() => splitLines(Buffer.from('{}\n{"a":\n1}'), 10)).toThrow('Line 2 of the body is not JSON');
  });
});

test('more than are allowed are refused, and not cut off', () => {
  expect(splitArray(Buffer.from('[1,2]'), 2)).toHaveLength(2);
  expect(() => splitArray(Buffer.from('[1,2,3]'), 2)).toThrow('more than 2 messages');
  expect(() => splitLines(Buffer.from('1\n2\n3'), 2)).toThrow('more than 2 messages');
});
