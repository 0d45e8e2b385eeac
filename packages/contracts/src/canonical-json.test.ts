import { expect, test } from 'vitest';
import { canonicalJson, contentHash } from './canonical-json.ts';

test('equal values have one text, whatever the order of their keys', () => {
  expect(canonicalJson({ b: 1, a: { d: [1, 'x', null], c: true } })).toBe('{"a":{"c":true,"d":[1,"x",null]},"b":1}');
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
});

test('the numbers and strings of RFC 8785 come out as there', () => {
  // RFC 8785, section 3.2.2: an example of its own
  const value = {
    numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
    literals: [null, true, false],
  };
  expect(canonicalJson(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('what JSON cannot carry is refused instead of guessed', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, [undefined], { f: () => 1 }, 1n]) expect(() => canonicalJson(value)).toThrow(/JSON/);
});

test('a content hash names its algorithm', () => {
  expect(contentHash('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});
