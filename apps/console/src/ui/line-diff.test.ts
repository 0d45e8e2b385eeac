import { describe, expect, test } from 'vitest';
import { lineDiff } from './line-diff.ts';
import { prettyText } from './pretty-text.ts';

describe('lineDiff', () => {
  test('numbers both sides and marks what came and went', () => {
    expect(lineDiff('a\nb', 'a\nc')).toEqual([
      { kind: 'same', text: 'a', before: 1, after: 1 },
      { kind: 'removed', text: 'b', before: 2, after: null },
      { kind: 'added', text: 'c', before: null, after: 2 },
    ]);
  });

  test('folds what is far from a change and keeps its length', () => {
    const many = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const diff = lineDiff(many.join('\n'), [...many, 'end'].join('\n'), 2);
    expect(diff[0]).toEqual({ kind: 'skipped', lines: 18, from: 0 });
    expect(diff).toHaveLength(4);
  });

  test('equal texts are shown whole', () => {
    expect(lineDiff('a\nb', 'a\nb').map((line) => line.kind)).toEqual(['same', 'same']);
  });

  test('from nothing everything is new', () => {
    expect(lineDiff('', 'a').map((line) => line.kind)).toEqual(['added']);
  });
});

describe('prettyText', () => {
  test('writes JSON in lines and leaves other text alone', () => {
    expect(prettyText('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(prettyText('<a/>')).toBe('<a/>');
  });
});
