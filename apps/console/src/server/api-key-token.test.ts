import { expect, it } from 'vitest';
import { createApiKeyToken, isApiKeySecret, parseApiKeyToken } from './api-key-token.ts';

it('a token leads to its key and secret, its hash to neither', () => {
  const key = createApiKeyToken();
  const parsed = parseApiKeyToken(key.token);
  expect(parsed?.id).toBe(key.id);
  expect(isApiKeySecret(parsed?.secret ?? '', key.secretHash)).toBe(true);
  expect(isApiKeySecret(parseApiKeyToken(createApiKeyToken().token)?.secret ?? '', key.secretHash)).toBe(false);
  expect(key.token.startsWith(key.prefix)).toBe(true);
  expect(key.prefix).not.toContain(parsed?.secret);
});

it('what is not a token is none', () => {
  for (const text of ['', 'vrsky_', 'vrsky_x_y', `${createApiKeyToken().token}x`, 'key_0123']) expect(parseApiKeyToken(text)).toBeNull();
});
