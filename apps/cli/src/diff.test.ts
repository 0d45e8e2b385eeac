import { expect, it } from 'vitest';
import { diffLines } from './diff.ts';

const shown = (before: string, after: string): string[] => diffLines(before, after).map(({ sign, text }) => sign + text);

it('equal texts differ in nothing', () => {
  expect(shown('a\nb', 'a\nb')).toEqual([' a', ' b']);
});

it('what is only before goes out, what is only after comes in, and the rest stays where it is', () => {
  expect(shown('a\nb\nc\nd', 'a\nc\nx\nd')).toEqual([' a', '-b', ' c', '+x', ' d']);
  expect(shown('one', 'two')).toEqual(['-one', '+two']);
});

it('lines can be put together again to both texts, for any two', () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  for (let i = 0; i < 200; i++) {
    const [before, after] = [0, 0].map(() => Array.from({ length: 1 + random(12) }, () => 'abc'[random(3)]).join('\n')) as [string, string];
    const lines = diffLines(before, after);
    const side = (other: string): string =>
      lines
        .filter(({ sign }) => sign !== other)
        .map(({ text }) => text)
        .join('\n');
    expect([side('+'), side('-')]).toEqual([before, after]);
  }
});

it('texts of very many lines are shown whole, one after the other', () => {
  const [before, after] = ['a\n'.repeat(3_000), 'b\n'.repeat(3_000)];
  const lines = diffLines(before, after);
  expect(lines).toHaveLength(6_002);
  expect(lines[0]).toEqual({ sign: '-', text: 'a' });
});
