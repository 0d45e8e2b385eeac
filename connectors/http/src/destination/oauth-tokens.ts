/** What a request to a token endpoint came back with. */
export interface TokenAnswer {
  status: number;
  retryAfter: string | undefined;
  body: string;
}
/** Posts a form to a token endpoint, through the same guard as every delivery. Rejects as a connection does. */
export type PostForm = (url: URL, headers: Record<string, string>, form: string, signal: AbortSignal) => Promise<TokenAnswer>;

export interface TokenClient {
  tokenUrl: URL;
  clientId: string;
  /** Asked anew for each token. */
  clientSecret(): string;
  scope: string | undefined;
  audience: string | undefined;
  resource: string | undefined;
  credentialsIn: 'header' | 'body';
}

/** One access token for all messages of a destination. */
export interface OAuthTokens {
  /** The token as a value when it is there and good, else a promise of the one that is being fetched. Rejects with TokenRefused or what the connection says. */
  get(): string | Promise<string>;
  /** A receiver did not take this token: it is not used again. */
  discard(token: string): void;
  /** The token in use, so that it can be cut out of what is shown. */
  readonly current: string | null;
}

/** The token endpoint answered, and not with a token. The message is a sentence for the customer. */
export class TokenRefused extends Error {
  readonly code = 'TOKEN_REFUSED';
  readonly isFinal: boolean;
  readonly retryAfter: string | undefined;
  constructor(message: string, o: { isFinal: boolean; retryAfter?: string | undefined }) {
    super(message);
    this.isFinal = o.isFinal;
    this.retryAfter = o.retryAfter;
  }
}

/** The token endpoint could not be asked; `cause` is what the connection says. */
export class TokenUnreachable extends Error {
  readonly host: string;
  constructor(host: string, cause: unknown) {
    super('the token endpoint could not be asked', { cause });
    this.host = host;
  }
}

export interface OAuthTokensOptions {
  client: TokenClient;
  post: PostForm;
  /** For one token. */
  timeoutMs: number;
  nowMs?: () => number;
}

/** Without `expires_in` a token is taken to live this long. */
const LIFETIME_DEFAULT_S = 300;
const LIFETIME_MAX_S = 86_400;
/** Fetched anew this long before the end, or in the last fifth of a short life. */
const REFRESH_BEFORE_MS = 60_000;
const TOKEN_CHARS_MAX = 16_384;
/** After a failure the endpoint is left alone this long: a thousand waiting messages are not a thousand requests for a token. */
const FAILURE_HOLD_MS = 1_000;

export function createOAuthTokens({ client, post, timeoutMs, nowMs = Date.now }: OAuthTokensOptions): OAuthTokens {
  let token: { text: string; refreshAtMs: number; endMs: number } | null = null;
  let fetching: Promise<string> | null = null;
  let failed: { error: unknown; untilMs: number } | null = null;

  const fetchToken = async (): Promise<string> => {
    try {
      const { text, lifetimeS } = await requestToken(client, post, timeoutMs);
      const lifetimeMs = lifetimeS * 1_000;
      token = { text, refreshAtMs: nowMs() + lifetimeMs - Math.min(REFRESH_BEFORE_MS, lifetimeMs / 5), endMs: nowMs() + lifetimeMs };
      failed = null;
      return text;
    } catch (error) {
      failed = { error, untilMs: nowMs() + FAILURE_HOLD_MS };
      throw error;
    } finally {
      fetching = null;
    }
  };
  return {
    get() {
      const now = nowMs();
      if (token !== null && now < token.refreshAtMs) return token.text;
      const isHeld = failed !== null && now < failed.untilMs;
      if (token !== null && now < token.endMs) {
        // Still good: nobody waits for the next one, and nobody fails because it does not come yet.
        if (fetching === null && !isHeld) {
          fetching = fetchToken();
          fetching.catch(() => undefined); // kept in `failed`; who needs a token asks again
        }
        return token.text;
      }
      if (fetching === null && isHeld) return Promise.reject((failed as { error: unknown }).error);
      fetching ??= fetchToken();
      return fetching;
    },
    discard(refused) {
      if (token?.text === refused) token = null;
    },
    get current() {
      return token?.text ?? null;
    },
  };
}

async function requestToken(client: TokenClient, post: PostForm, timeoutMs: number): Promise<{ text: string; lifetimeS: number }> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  for (const name of ['scope', 'audience', 'resource'] as const) {
    const value = client[name];
    if (value !== undefined && value !== '') form.set(name, value);
  }
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  if (client.credentialsIn === 'header') headers.authorization = basicOf(client.clientId, client.clientSecret());
  else {
    form.set('client_id', client.clientId);
    form.set('client_secret', client.clientSecret());
  }
  const answer = await post(client.tokenUrl, headers, form.toString(), AbortSignal.timeout(timeoutMs)).catch((cause: unknown) => {
    throw new TokenUnreachable(client.tokenUrl.host, cause);
  });
  return readToken(answer, client.tokenUrl.host);
}

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
function basicOf(id: string, secret: string): string {
  const encode = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
}

const errorCodes: Record<string, string> = {
  invalid_client: 'it does not know the client, or not this secret. Check client ID and client secret',
  unauthorized_client: 'it does not allow this client to use client credentials',
  unsupported_grant_type: 'it does not offer client credentials',
  invalid_scope: 'it does not give this scope. Check the scope',
  invalid_target: 'it does not know this resource or audience',
  invalid_request: 'it refuses the request as not valid',
};

function readToken({ status, retryAfter, body }: TokenAnswer, host: string): { text: string; lifetimeS: number } {
  const fields = findObject(body);
  if (status < 200 || status >= 300) {
    const isFinal = status < 500 && status !== 429 && status !== 408;
    const known = typeof fields?.error === 'string' ? errorCodes[fields.error] : undefined;
    throw new TokenRefused(`${host} gave no access token: it answered ${status}${known === undefined ? '' : `, ${known}`}.`, { isFinal, retryAfter });
  }
  const { access_token: text, token_type: type, expires_in: lifetime } = fields ?? {};
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text) || text.length > TOKEN_CHARS_MAX)
    throw new TokenRefused(`${host} answered ${status} without an access token. Check the token URL.`, { isFinal: true });
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer')
    throw new TokenRefused(`${host} gives access tokens of a type that is not Bearer, which is the only one that can be used here.`, { isFinal: true });
  const seconds = Number(lifetime);
  return { text, lifetimeS: lifetime !== undefined && seconds > 0 ? Math.min(seconds, LIFETIME_MAX_S) : LIFETIME_DEFAULT_S };
}

function findObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
