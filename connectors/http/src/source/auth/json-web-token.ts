import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import { type Dispatcher, request } from 'undici';
import { type Authenticator, type Denial, Denied, denialOf, getHeader } from './authenticator.ts';

export interface JwtOptions {
  jwksUrl: string;
  issuer: string;
  audience: string;
  leewaySeconds: number;
}

/** How keys are fetched: a dispatcher that the guard watches, and for how long answers count. */
export interface KeyFetching {
  dispatcher: Dispatcher;
  times?: Partial<KeyTimes>;
  /** Why keys could not be fetched, for the log. */
  onFailed?(url: string, reason: string): void;
}

export interface KeyTimes {
  /** For one fetch of the keys. */
  fetchMs: number;
  /** Not asked again for a key that is not there before this has passed, so that forged key ids cannot make us a flood. */
  cooldownMs: number;
  /** Keys that were withdrawn count no longer than this. */
  keepMs: number;
}

const TIMES: KeyTimes = { fetchMs: 5_000, cooldownMs: 30_000, keepMs: 600_000 };
const KEY_SET_BYTES_MAX = 262_144;
const TOKEN_CHARS_MAX = 8_192;
/** By public keys alone: with `none` or HMAC anybody could make a token of what is public. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** `Authorization: Bearer <JWT>`, checked against the issuer's key set, which is fetched when it is needed. */
export function createJwtAuthenticator({ jwksUrl, issuer, audience, leewaySeconds }: JwtOptions, { dispatcher, times, onFailed }: KeyFetching): Authenticator {
  const { fetchMs, cooldownMs, keepMs } = { ...TIMES, ...times };
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: fetchMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: keepMs,
    [customFetch]: (url, { signal }) => fetchKeySet(url, signal, dispatcher),
  });
  const check = async (token: string): Promise<Denial | null> => {
    try {
      await jwtVerify(token, keys, { issuer, audience, algorithms: ALGORITHMS, clockTolerance: leewaySeconds, requiredClaims: ['exp'] });
      return null;
    } catch (error) {
      const denial = explain(error);
      if (denial.reason === 'keys_unavailable') onFailed?.(jwksUrl, error instanceof Error ? error.message : String(error));
      return denial;
    }
  };
  return {
    credentialHeaders: ['authorization'],
    challenge: 'Bearer',
    beforeBody(headers) {
      let token = '';
      const denial = denialOf(() => {
        const found = /^bearer +([A-Za-z0-9_.-]+) *$/i.exec(getHeader(headers, 'authorization'))?.[1];
        if (found === undefined || found.length > TOKEN_CHARS_MAX)
          throw new Denied('credential_malformed', 'The header authorization is not of the form Bearer <token>.');
        token = found;
      });
      return denial ?? check(token);
    },
  };
}

function explain(error: unknown): Denial {
  const denied = (reason: string, detail: string): Denial => ({ status: 401, reason, detail });
  if (error instanceof errors.JWTExpired) return denied('token_expired', 'The token has expired: fetch a new one.');
  if (error instanceof errors.JWTClaimValidationFailed) return denied('token_claim', `The token’s claim ${error.claim.slice(0, 40)} is not what is expected.`);
  if (error instanceof errors.JWSSignatureVerificationFailed) return denied('signature_mismatch', 'The token’s signature does not match the issuer’s key.');
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return denied('token_key_unknown', 'The issuer has no single key for this token: it was withdrawn, or the token is another issuer’s.');
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return denied('token_algorithm', 'The token is signed in a way that is not accepted: use RS, PS or ES with 256 to 512, or EdDSA.');
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return denied('credential_malformed', 'The token is not a JSON Web Token.');
  // Whatever else it is lies between us and the key set. The sender is not to blame, and shall come again.
  return {
    status: 503,
    reason: 'keys_unavailable',
    detail: 'The issuer’s keys cannot be fetched now, so that the token cannot be checked. Send it again later.',
  };
}

/** How many keys an issuer has at its URL. Rejects with why they cannot be fetched. */
export async function countKeys(url: string, { dispatcher, times }: KeyFetching): Promise<number> {
  const response = await fetchKeySet(url, AbortSignal.timeout(times?.fetchMs ?? TIMES.fetchMs), dispatcher);
  if (response.status !== 200) throw new Error(`the answer has status ${response.status}`);
  const { keys } = (await response.json()) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is not a JSON Web Key Set');
  return keys.length;
}

/** Bounded, without redirects, through the guard. */
async function fetchKeySet(url: string, signal: AbortSignal, dispatcher: Dispatcher): Promise<Response> {
  const { statusCode, body } = await request(url, { dispatcher, signal, headers: { accept: 'application/jwk-set+json, application/json' } });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > KEY_SET_BYTES_MAX) throw new Error(`the key set has more than ${KEY_SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return new Response(statusCode === 204 ? null : Buffer.concat(chunks), { status: statusCode });
}
