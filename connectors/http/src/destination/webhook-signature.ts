import { createHmac, createPrivateKey, createSecretKey, type KeyObject, sign } from 'node:crypto';
import type { Secret } from '@vrsky/sdk/connector';

/** Signs as Standard Webhooks says, once with every version of the secret that is valid: a receiver that knows either one is content. */
export interface WebhookSigner {
  /** The value of `webhook-signature`. */
  sign(id: string, timestampS: number, body: Uint8Array): string;
}

/** The value of a secret is no signing key; the message is a sentence for the customer. */
export class SigningKeyInvalid extends Error {}

interface Key {
  kind: 'v1' | 'v1a';
  key: KeyObject;
}

const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;
/** PKCS #8 around the 32 bytes of an Ed25519 private key (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export function createWebhookSigner(secret: Secret): WebhookSigner {
  const keys = secret.versions.map((version) => parseKey(version.text().trim(), secret.name));
  return {
    sign(id, timestampS, body) {
      const head = `${id}.${timestampS}.`;
      return keys.map(({ kind, key }) => (kind === 'v1' ? hmac(key, head, body) : edwards(key, head, body))).join(' ');
    },
  };
}

function parseKey(text: string, name: string): Key {
  const [, prefix = '', base64 = ''] = /^(whsec_|whsk_)?([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (prefix === 'whsk_' && (bytes.length === 32 || bytes.length === 64))
    return { kind: 'v1a', key: createPrivateKey({ key: Buffer.concat([ED25519_PREFIX, bytes.subarray(0, 32)]), format: 'der', type: 'pkcs8' }) };
  if (prefix !== 'whsk_' && bytes.length >= KEY_BYTES_MIN && bytes.length <= KEY_BYTES_MAX) return { kind: 'v1', key: createSecretKey(bytes) };
  throw new SigningKeyInvalid(
    `The secret ${name} is no signing key: it has to be whsec_ and ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes in base64, or whsk_ and an Ed25519 private key in base64.`,
  );
}

function hmac(key: KeyObject, head: string, body: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(head).update(body).digest('base64')}`;
}

function edwards(key: KeyObject, head: string, body: Uint8Array): string {
  return `v1a,${sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`;
}
