import { expect, test } from 'vitest';
import { createOAuthTokens, type TokenAnswer, TokenRefused, TokenUnreachable } from './oauth-tokens.ts';

/** A token endpoint that answers what it is told, with a clock that is set by hand. */
function pretend(answers: (Partial<TokenAnswer> | Error)[], o: { credentialsIn?: 'header' | 'body' } = {}) {
  const asked: { headers: Record<string, string>; form: URLSearchParams }[] = [];
  const clock = { nowMs: 0 };
  const tokens = createOAuthTokens({
    client: {
      tokenUrl: new URL('https://login.test/token'),
      clientId: 'id with space',
      clientSecret: () => 's%cret:+',
      scope: 'a b',
      audience: undefined,
      resource: undefined,
      credentialsIn: o.credentialsIn ?? 'header',
    },
    post: async (_url, headers, form) => {
      asked.push({ headers, form: new URLSearchParams(form) });
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer instanceof Error) throw answer;
      return { status: 200, retryAfter: undefined, body: '', ...answer };
    },
    timeoutMs: 1_000,
    nowMs: () => clock.nowMs,
  });
  return { tokens, asked, clock };
}

const token = (text: string, lifetimeS?: number | string): Partial<TokenAnswer> => ({
  body: JSON.stringify({ access_token: text, token_type: 'bearer', ...(lifetimeS !== undefined && { expires_in: lifetimeS }) }),
});

test('a hundred messages at once are one request for a token, and later ones are none', async () => {
  const { tokens, asked } = pretend([token('t1', 3_600)]);
  expect(new Set(await Promise.all(Array.from({ length: 100 }, () => tokens.get())))).toEqual(new Set(['t1']));
  expect(tokens.get()).toBe('t1');
  expect(asked).toHaveLength(1);
});

test('a token is fetched anew before it ends, while the old one still serves', async () => {
  const { tokens, asked, clock } = pretend([token('t1', 3_600), token('t2', '3600')]);
  await tokens.get();
  clock.nowMs = 3_539_000;
  expect([tokens.get(), asked.length]).toEqual(['t1', 1]);
  clock.nowMs = 3_541_000;
  expect([tokens.get(), asked.length]).toEqual(['t1', 2]);
  await expect.poll(() => tokens.get()).toBe('t2');
  expect(asked).toHaveLength(2);
});

test('while the endpoint is away a token serves to its end, and not beyond', async () => {
  const { tokens, clock } = pretend([token('t1', 100), new Error('away')]);
  await tokens.get();
  clock.nowMs = 99_000;
  expect(tokens.get()).toBe('t1');
  clock.nowMs = 101_000;
  await expect(tokens.get()).rejects.toThrow(TokenUnreachable);
});

test('one without expires_in lives five minutes', async () => {
  const { tokens, asked, clock } = pretend([token('t1')]);
  await tokens.get();
  clock.nowMs = 301_000;
  await tokens.get();
  expect(asked).toHaveLength(2);
});

test('one that the receiver did not take is not used again; an older one’s refusal does not cost the newer one', async () => {
  const { tokens, asked } = pretend([token('t1', 3_600), token('t2', 3_600)]);
  await tokens.get();
  tokens.discard('t1');
  expect(await tokens.get()).toBe('t2');
  tokens.discard('t1');
  expect([await tokens.get(), asked.length]).toEqual(['t2', 2]);
});

test('after a failure the endpoint is left alone for a second', async () => {
  const { tokens, asked, clock } = pretend([{ status: 503, body: '' }, token('t2')]);
  await expect(tokens.get()).rejects.toThrow(TokenRefused);
  await expect(tokens.get()).rejects.toThrow(TokenRefused);
  expect(asked).toHaveLength(1);
  clock.nowMs = 1_000;
  expect(await tokens.get()).toBe('t2');
});

test('credentials are written as RFC 6749 says, in the header or in the body', async () => {
  const header = pretend([token('t')]);
  await header.tokens.get();
  expect(header.asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('id+with+space:s%25cret%3A%2B').toString('base64')}`);
  expect(Object.fromEntries(header.asked[0]?.form ?? [])).toEqual({ grant_type: 'client_credentials', scope: 'a b' });
  const body = pretend([token('t')], { credentialsIn: 'body' });
  await body.tokens.get();
  expect(body.asked[0]?.headers).not.toHaveProperty('authorization');
  expect(Object.fromEntries(body.asked[0]?.form ?? [])).toMatchObject({ client_id: 'id with space', client_secret: 's%cret:+' });
});

test.each([
  [{ status: 401, body: '{"error":"invalid_client","error_description":"text of a stranger"}' }, true, /answered 401, it does not know the client/],
  [{ status: 400, body: '{"error":"made_up"}' }, true, /answered 400\.$/],
  [{ status: 302, body: '' }, true, /answered 302\.$/],
  [{ status: 429, body: '' }, false, /answered 429/],
  [{ status: 503, body: '<html>' }, false, /answered 503/],
  [{ body: 'no json' }, true, /without an access token/],
  [{ body: '{"access_token":"a\\r\\nb"}' }, true, /without an access token/],
  [{ body: '{"access_token":"a","token_type":"mac"}' }, true, /not Bearer/],
])('%j is no token', async (answer, isFinal, message) => {
  const error: TokenRefused = await Promise.resolve(pretend([answer]).tokens.get()).then(
    () => expect.fail('a token was taken'),
    (refused) => refused,
  );
  expect(error).toBeInstanceOf(TokenRefused);
  expect([error.isFinal, error.message]).toEqual([isFinal, expect.stringMatching(message)]);
  expect(error.message).not.toContain('stranger');
});
