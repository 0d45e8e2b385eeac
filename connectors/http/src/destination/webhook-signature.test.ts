import { generateKeyPairSync, verify } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, test } from 'vitest';
import { secretOf } from './destination.test-support.ts';
import { createWebhookSigner, SigningKeyInvalid } from './webhook-signature.ts';

const key = (fill: number, length = 32): string => `whsec_${Buffer.alloc(length, fill).toString('base64')}`;
const now = Math.floor(Date.now() / 1_000);
const body = '{"type":"order.paid","data":{"note":"ü☃"}}';

describe('a signature', () => {
  test('is taken by the libraries of Standard Webhooks and Svix', () => {
    const signature = createWebhookSigner(secretOf('k', [], key(1))).sign('msg_1', now, Buffer.from(body));
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(now), 'webhook-signature': signature };
    expect(new StandardWebhook(key(1)).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new SvixWebhook(key(1)).verify(body, headers)).not.toThrow();
    expect(() => new SvixWebhook(key(2)).verify(body, headers)).toThrow();
    expect(() => new StandardWebhook(key(2)).verify(body, headers)).toThrow();
    expect(() => new StandardWebhook(key(1)).verify(`${body} `, headers)).toThrow();
  });

  test('during an overlap is taken by who knows the old key and who knows the new one', () => {
    const signature = createWebhookSigner(secretOf('k', [], key(2), key(1))).sign('msg_1', now, Buffer.from(body));
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(now), 'webhook-signature': signature };
    expect(signature.split(' ')).toHaveLength(2);
    for (const fill of [1, 2]) expect(new StandardWebhook(key(fill)).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new StandardWebhook(key(3)).verify(body, headers)).toThrow();
  });

  test('with an Ed25519 key is v1a, and the public key proves it', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
    const signature = createWebhookSigner(secretOf('k', [], `whsk_${seed.toString('base64')}`)).sign('msg_1', now, Buffer.from(body));
    const [scheme, base64 = ''] = signature.split(',');
    expect([scheme, verify(null, Buffer.from(`msg_1.${now}.${body}`), publicKey, Buffer.from(base64, 'base64'))]).toEqual(['v1a', true]);
  });

  test('is over bytes, whatever they are', () => {
    const signer = createWebhookSigner(secretOf('k', [], key(1)));
    expect(signer.sign('m', now, Buffer.from([0xff]))).not.toBe(signer.sign('m', now, Buffer.from([0xfe])));
  });
});

test.each(['', 'whsec_', 'secret', key(1, 23), key(1, 65), 'whsk_AAAA', `${key(1)}!`])('%j is no key, and the refusal does not repeat it', (text) => {
  const make = () => createWebhookSigner(secretOf('signing-key', [], text));
  expect(make).toThrow(SigningKeyInvalid);
  expect(make).toThrow(/^The secret signing-key is no signing key/);
});
