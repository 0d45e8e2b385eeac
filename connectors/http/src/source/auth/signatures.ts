import { createHmac, createPublicKey, createSecretKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import type { Secret } from '@vrsky/sdk/connector';
import type { AuthSettings } from '../settings.ts';
import { type Authenticator, Denied, denialOf, findHeader, getHeader, type RawHeaders, UnusableSecret } from './authenticator.ts';

/** A sender that rotates sends a few; more are an attempt to have us compute. */
const SIGNATURES_MAX = 10;
const SIGNATURE_BYTES_MAX = 64;
const ID_CHARS_MAX = 128;
/** A timestamp beyond this is in milliseconds: in seconds it would be the year 5138. */
const SECONDS_MAX = 1e11;

/** What a request says about its signature. */
interface Claim {
  signatures: Buffer[];
  /** As the sender wrote it, and signed it. */
  timestamp: string | null;
  /** What is signed before the body and behind it. */
  before: string;
  after: string;
}

interface Scheme {
  algorithm: string;
  keys: readonly KeyObject[];
  toleranceSeconds: number;
  read(headers: RawHeaders): Claim;
}

/** Whether one of the request's signatures is one of ours, over the bytes as they came. Throws Denied. */
function checkSignature(scheme: Scheme, headers: RawHeaders, payload: Uint8Array, nowMs: number): void {
  const claim = scheme.read(headers);
  if (claim.timestamp !== null) checkTime(claim.timestamp, scheme.toleranceSeconds, nowMs);
  for (const key of scheme.keys) {
    const expected = createHmac(scheme.algorithm, key).update(claim.before, 'latin1').update(payload).update(claim.after, 'latin1').digest();
    for (const signature of claim.signatures) if (signature.length === expected.length && timingSafeEqual(signature, expected)) return;
  }
  throw mismatch();
}

function mismatch(): Denied {
  return new Denied('signature_mismatch', 'The signature does not match: the secret is another one, or the body was changed on its way.');
}

function checkTime(text: string, toleranceSeconds: number, nowMs: number): void {
  if (!/^\d{1,15}$/.test(text)) throw new Denied('credential_malformed', 'The timestamp is not a whole number of seconds since 1970.');
  const given = Number(text);
  const aheadMs = (given > SECONDS_MAX ? given : given * 1_000) - nowMs;
  if (Math.abs(aheadMs) <= toleranceSeconds * 1_000) return;
  const side = aheadMs < 0 ? (['timestamp_too_old', 'too old'] as const) : (['timestamp_ahead', 'in the future'] as const);
  throw new Denied(
    side[0],
    `The timestamp is ${side[1]}: more than ${toleranceSeconds} s from the time here. Sign each attempt anew, and check the sender’s clock.`,
  );
}

/** Bytes of a written signature; null when it is none. */
function decode(text: string, encoding: 'hex' | 'base64' | 'base64url'): Buffer | null {
  const form = encoding === 'hex' ? /^(?:[0-9a-fA-F]{2})+$/ : /^[A-Za-z0-9+/_-]+={0,2}$/;
  if (text.length > SIGNATURE_BYTES_MAX * 2 || !form.test(text)) return null;
  return Buffer.from(text, encoding);
}

function readSignatures(texts: readonly string[], encoding: 'hex' | 'base64' | 'base64url', header: string): Buffer[] {
  const signatures = texts.slice(0, SIGNATURES_MAX).flatMap((text) => decode(text, encoding) ?? []);
  if (signatures.length === 0) throw new Denied('credential_malformed', `The header ${header} has no signature that can be read.`);
  return signatures;
}

const textKeys = ({ versions }: Secret): KeyObject[] => versions.map((version) => createSecretKey(version.bytes()));

/** Throws UnusableSecret when no version can be used. One that is mistyped in a rotation must not shut out the sender, who still has the other. */
function usableKeys<Key>({ versions }: Secret, toKey: (text: string) => Key): Key[] {
  const keys: Key[] = [];
  let problem: UnusableSecret | null = null;
  for (const version of versions) {
    try {
      keys.push(toKey(version.text()));
    } catch (error) {
      if (!(error instanceof UnusableSecret)) throw error;
      problem ??= error;
    }
  }
  if (keys.length === 0 && problem !== null) throw problem;
  return keys;
}

type Settings<S extends AuthSettings['scheme']> = Extract<AuthSettings, { scheme: S }>;

function createHmacAuthenticator(scheme: Scheme): Authenticator {
  return {
    credentialHeaders: [],
    challenge: 'Signature',
    // Nobody has to send a body to hear that its signature is missing.
    beforeBody: (headers) => denialOf(() => void scheme.read(headers)),
    afterBody: (headers, payload, nowMs) => denialOf(() => checkSignature(scheme, headers, payload, nowMs)),
  };
}

/** https://docs.github.com/webhooks: `X-Hub-Signature-256: sha256=<hex>`. */
export function createGithubAuthenticator(secret: Secret): Authenticator {
  const header = 'x-hub-signature-256';
  const authenticator = createHmacAuthenticator({
    algorithm: 'sha256',
    keys: textKeys(secret),
    toleranceSeconds: 0,
    read: (headers) => ({ signatures: readSignatures([withoutPrefix(getHeader(headers, header), 'sha256=', header)], 'hex', header), ...unwrapped }),
  });
  return { ...authenticator, idOf: (headers) => idIn(headers, 'x-github-delivery') };
}
const unwrapped = { timestamp: null, before: '', after: '' };

/** https://docs.stripe.com/webhooks: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=…]` over `<t>.<body>`. */
export function createStripeAuthenticator({ toleranceSeconds }: Settings<'stripe'>, secret: Secret): Authenticator {
  const header = 'stripe-signature';
  const authenticator = createHmacAuthenticator({
    algorithm: 'sha256',
    keys: textKeys(secret),
    toleranceSeconds,
    read(headers) {
      const pairs = getHeader(headers, header)
        .split(',')
        .map((pair) => pair.trim().split('=', 2));
      const valuesOf = (wanted: string): string[] => pairs.flatMap(([name, value]) => (name === wanted && value !== undefined ? [value] : []));
      const [timestamp] = valuesOf('t');
      if (timestamp === undefined) throw new Denied('credential_malformed', `The header ${header} has no timestamp (t=…).`);
      return { signatures: readSignatures(valuesOf('v1'), 'hex', header), timestamp, before: `${timestamp}.`, after: '' };
    },
  });
  return { ...authenticator, idOf: (_, payload) => idInBody(payload, 'id') };
}

/** https://api.slack.com/authentication/verifying-requests-from-slack: `v0=<hex>` over `v0:<seconds>:<body>`. */
export function createSlackAuthenticator({ toleranceSeconds }: Settings<'slack'>, secret: Secret): Authenticator {
  const header = 'x-slack-signature';
  const authenticator = createHmacAuthenticator({
    algorithm: 'sha256',
    keys: textKeys(secret),
    toleranceSeconds,
    read(headers) {
      const timestamp = getHeader(headers, 'x-slack-request-timestamp');
      const signatures = readSignatures([withoutPrefix(getHeader(headers, header), 'v0=', header)], 'hex', header);
      return { signatures, timestamp, before: `v0:${timestamp}:`, after: '' };
    },
  });
  return {
    ...authenticator,
    idOf: (_, payload) => idInBody(payload, 'event_id'),
    echoOf(payload) {
      const body = findObject(payload);
      return body?.type === 'url_verification' && typeof body.challenge === 'string' ? body.challenge : null;
    },
  };
}

/** A scheme that the customer describes. Throws UnusableSecret when the secret is not written as the settings say. */
export function createGenericAuthenticator(settings: Settings<'hmac'>, secret: Secret): Authenticator {
  const header = settings.header.toLowerCase();
  const timestampHeader = settings.timestampHeader?.toLowerCase();
  const [before = '', after = ''] = settings.signed.split('{body}');
  return createHmacAuthenticator({
    algorithm: settings.algorithm,
    keys: usableKeys(secret, (text) => createSecretKey(decodeKey(text, settings.secretEncoding))),
    toleranceSeconds: settings.toleranceSeconds,
    read(headers) {
      const signatures = readSignatures([withoutPrefix(getHeader(headers, header), settings.prefix, header)], settings.encoding, header);
      const timestamp = timestampHeader === undefined ? null : getHeader(headers, timestampHeader);
      const fill = (template: string): string =>
        template.replace(/\{timestamp\}|\{header:([A-Za-z0-9-]+)\}/g, (_, name: string | undefined) =>
          name === undefined ? (timestamp as string) : getHeader(headers, name.toLowerCase()),
        );
      return { signatures, timestamp, before: fill(before), after: fill(after) };
    },
  });
}

function decodeKey(text: string, encoding: 'text' | 'base64' | 'hex'): Buffer {
  if (encoding === 'text') return Buffer.from(text, 'utf8');
  const form = encoding === 'hex' ? /^(?:[0-9a-fA-F]{2})+$/ : /^[A-Za-z0-9+/_-]+={0,2}$/;
  if (!form.test(text.trim())) throw new UnusableSecret('/auth/secret', `The secret is not written in ${encoding}, as “How the secret writes the key” says.`);
  return Buffer.from(text.trim(), encoding);
}

function withoutPrefix(value: string, prefix: string, header: string): string {
  if (!value.startsWith(prefix)) throw new Denied('credential_malformed', `The header ${header} does not begin with ${prefix}`);
  return value.slice(prefix.length);
}

/** https://www.standardwebhooks.com: `webhook-id`, `webhook-timestamp`, `webhook-signature` over `<id>.<timestamp>.<body>`. */
export function createStandardWebhooksAuthenticator({ toleranceSeconds }: Settings<'standard-webhooks'>, secret: Secret): Authenticator {
  const keys = usableKeys(secret, toStandardKey);
  const header = 'webhook-signature';
  const read = (headers: RawHeaders) => {
    const id = getHeader(headers, 'webhook-id');
    // A dot would let the end of an id be taken for the timestamp.
    if (!/^[\x21-\x2d\x2f-\x7e]+$/.test(id) || id.length > ID_CHARS_MAX)
      throw new Denied('credential_malformed', `The header webhook-id has at most ${ID_CHARS_MAX} visible characters and no dot.`);
    const timestamp = getHeader(headers, 'webhook-timestamp');
    const signatures = getHeader(headers, header)
      .split(' ')
      .slice(0, SIGNATURES_MAX)
      .flatMap((text) => {
        const [version, encoded = ''] = text.split(',', 2);
        const bytes = decode(encoded, 'base64');
        return bytes !== null && (version === 'v1' || version === 'v1a') ? [{ version, bytes }] : [];
      });
    if (signatures.length === 0) throw new Denied('credential_malformed', `The header ${header} has neither v1,… nor v1a,… that can be read.`);
    return { signatures, timestamp, before: `${id}.${timestamp}.` };
  };
  return {
    credentialHeaders: [],
    challenge: 'Signature',
    beforeBody: (headers) => denialOf(() => void read(headers)),
    afterBody: (headers, payload, nowMs) =>
      denialOf(() => {
        const { signatures, timestamp, before } = read(headers);
        checkTime(timestamp, toleranceSeconds, nowMs);
        for (const key of keys) {
          for (const { version, bytes } of signatures) {
            if (version !== key.version) continue;
            if (key.version === 'v1a') {
              if (verify(null, Buffer.concat([Buffer.from(before, 'latin1'), payload]), key.key, bytes)) return;
            } else {
              const expected = createHmac('sha256', key.key).update(before, 'latin1').update(payload).digest();
              if (bytes.length === expected.length && timingSafeEqual(bytes, expected)) return;
            }
          }
        }
        throw mismatch();
      }),
    idOf: (headers) => idIn(headers, 'webhook-id'),
  };
}

const ED25519_BYTES = 32;

function toStandardKey(written: string): { version: 'v1' | 'v1a'; key: KeyObject } {
  const text = written.trim();
  const isPublic = text.startsWith('whpk_');
  const bytes = findBase64(text.replace(/^wh(?:sec|pk)_/, ''));
  if (isPublic && bytes?.length === ED25519_BYTES)
    return { version: 'v1a', key: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' }) };
  if (!isPublic && bytes !== null) return { version: 'v1', key: createSecretKey(bytes) };
  throw new UnusableSecret('/auth/secret', 'The secret is not one of Standard Webhooks: whsec_ and base64, or whpk_ and the base64 of an ed25519 public key.');
}

function findBase64(text: string): Buffer | null {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null;
}

/** Ids that are too long to be one are none. */
function idIn(headers: RawHeaders, name: string): string {
  const id = findHeader(headers, name) ?? '';
  return id.length <= ID_CHARS_MAX ? id : '';
}

function idInBody(payload: Uint8Array, key: string): string {
  const id = findObject(payload)?.[key];
  return typeof id === 'string' && id.length <= ID_CHARS_MAX ? id : '';
}

function findObject(payload: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // it has no id, then
    throw error;
  }
}
