import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { refusalWords } from './refusal-words.ts';

test('every refusal that the documentation names has words of its own, and what to do', () => {
  const docs = readFileSync(path.resolve(import.meta.dirname, '../../../../../docs/http-source.md'), 'utf8');
  const rows =
    docs
      .slice(docs.indexOf('## What is refused'))
      .split('\n## ')[0]
      ?.match(/^\| \d{3}.*$/gm) ?? [];
  const codes = rows.flatMap((row) => [...(row.split('|')[2] ?? '').matchAll(/`([a-z_]+)`/g)].map(([, code = '']) => code));
  expect(codes.length).toBeGreaterThan(15);
  const other = refusalWords('something_new', 'none').todo;
  expect(codes.filter((code) => code !== 'unavailable' && refusalWords(code, 'hmac').todo === other)).toEqual([]);
});

test('a sender with a name is called by it', () => {
  expect(refusalWords('signature_mismatch', 'github').todo).toContain('the one entered at GitHub, or the body was changed on the way');
  expect(refusalWords('signature_mismatch', 'hmac').todo).toContain('the one entered at the sender');
});

test('a code that nobody knows is shown in words', () => {
  expect(refusalWords('something_new', 'none').what).toBe('Something new');
});
