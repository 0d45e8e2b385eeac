import { expect, it } from 'vitest';
import { hashPassword, isPassword } from './passwords.ts';

it('only the right password fits its hash, which is argon2id', async () => {
  const hash = await hashPassword('correct horse');
  expect(hash).toMatch(/^\$argon2id\$/);
  expect(await isPassword(hash, 'correct horse')).toBe(true);
  expect(await isPassword(hash, 'correct horsE')).toBe(false);
});

it('nobody without a hash gets in, not even with the word that stands in for one', async () => {
  expect(await isPassword(null, 'nobody has this password')).toBe(false);
});

it('more checks at a time than the bound are turned away instead of queued', async () => {
  const hash = await hashPassword('x');
  const results = await Promise.allSettled(Array.from({ length: 12 }, () => isPassword(hash, 'x')));
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(8);
  expect(await isPassword(hash, 'x')).toBe(true);
});
