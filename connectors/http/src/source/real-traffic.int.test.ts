import { createHmac, generateKeyPairSync, randomBytes, sign as signBytes } from 'node:crypto';
import examples from '@octokit/webhooks-examples';
import { sign as signGithub } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { connectionOf, numbered, startSource } from './source.test-support.ts';

/** A request as its sender makes it. */
interface Signed {
  headers: Record<string, string>;
  body: Buffer;
}
type Sign = (body: Buffer, secret: string, atMs?: number) => Signed | Promise<Signed>;
type Settings = Parameters<typeof connectionOf>[0];
interface Sender {
  settings: NonNullable<Settings['auth']>;
  sign: Sign;
  newSecret(): string;
  bodies: Buffer[];
  /** Header whose value is the signature. */
  signature: string;
  /** What a signature says that was made an hour ago; null: the sender signs no time. */
  old: 'timestamp_too_old' | null;
}

const secret = { $secret: 'webhook' };
const whsec = (): string => `whsec_${randomBytes(24).toString('base64')}`;
const plain = (): string => randomBytes(20).toString('hex');
const events = (examples as unknown as { name: string; examples: object[] }[]).flatMap(({ name, examples: payloads }) =>
  payloads.slice(0, 1).map((payload) => ({ name, body: Buffer.from(JSON.stringify(payload)) })),
);
const binary = Buffer.from(Array.from({ length: 1_000 }, (_, i) => (i * 37) & 255));
const bodies = [Buffer.from('{"type":"invoice.paid","data":{"é":"☃"}}'), Buffer.alloc(0), binary];
let ids = 0;
const nextId = (): string => `msg_test_${++ids}`;
const seconds = (atMs: number): string => String(Math.floor(atMs / 1_000));

const senders: Record<string, Sender> = {
  'GitHub (payloads and signatures of octokit)': {
    settings: { scheme: 'github', secret },
    async sign(body, key) {
      return { headers: { 'x-hub-signature-256': await signGithub(key, body.toString('utf8')), 'x-github-delivery': nextId() }, body };
    },
    newSecret: plain,
    bodies: events.map(({ body }) => body),
    signature: 'x-hub-signature-256',
    old: null,
  },
  'Stripe (signatures of its own library)': {
    settings: { scheme: 'stripe', secret },
    sign(body, key, atMs = Date.now()) {
      const timestamp = Number(seconds(atMs));
      return { headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body.toString('utf8'), secret: key, timestamp }) }, body };
    },
    newSecret: whsec,
    bodies: [1, 2].map((i) =>
      Buffer.from(JSON.stringify({ id: `evt_${i}`, object: 'event', type: 'charge.succeeded', data: { object: { amount: i } } }, null, 2)),
    ),
    signature: 'stripe-signature',
    old: 'timestamp_too_old',
  },
  'Standard Webhooks v1 (signatures of its own library)': {
    settings: { scheme: 'standard-webhooks', secret },
    sign(body, key, atMs = Date.now()) {
      const id = nextId();
      const signature = new Webhook(key).sign(id, new Date(atMs), body.toString('utf8'));
      return { headers: { 'webhook-id': id, 'webhook-timestamp': seconds(atMs), 'webhook-signature': signature }, body };
    },
    newSecret: whsec,
    bodies: bodies.slice(0, 2),
    signature: 'webhook-signature',
    old: 'timestamp_too_old',
  },
  'Standard Webhooks v1 over bytes that are no text': {
    settings: { scheme: 'standard-webhooks', secret },
    sign(body, key, atMs = Date.now()) {
      const id = nextId();
      const hmac = createHmac('sha256', Buffer.from(key.slice('whsec_'.length), 'base64')).update(`${id}.${seconds(atMs)}.`);
      return {
        headers: { 'webhook-id': id, 'webhook-timestamp': seconds(atMs), 'webhook-signature': `v1,${hmac.update(body).digest('base64')}` },
        body,
      };
    },
    newSecret: whsec,
    bodies: [binary],
    signature: 'webhook-signature',
    old: 'timestamp_too_old',
  },
  Slack: {
    settings: { scheme: 'slack', secret },
    sign(body, key, atMs = Date.now()) {
      const digest = createHmac('sha256', key)
        .update(`v0:${seconds(atMs)}:`)
        .update(body)
        .digest('hex');
      return { headers: { 'x-slack-signature': `v0=${digest}`, 'x-slack-request-timestamp': seconds(atMs) }, body };
    },
    newSecret: plain,
    bodies: [Buffer.from('token=x&command=%2Fweather&text=94070'), Buffer.from('{"type":"event_callback","event_id":"Ev1"}')],
    signature: 'x-slack-signature',
    old: 'timestamp_too_old',
  },
  'a scheme of its own, as described': {
    settings: {
      scheme: 'hmac',
      secret,
      secretEncoding: 'hex',
      header: 'X-Signature',
      prefix: 'sig=',
      algorithm: 'sha512',
      encoding: 'base64url',
      signed: '{header:x-id}/{timestamp}/{body}/end',
      timestampHeader: 'X-Time',
    },
    sign(body, key, atMs = Date.now()) {
      const id = nextId();
      const hmac = createHmac('sha512', Buffer.from(key, 'hex')).update(`${id}/${atMs}/`).update(body).update('/end');
      return { headers: { 'x-id': id, 'x-time': String(atMs), 'x-signature': `sig=${hmac.digest('base64url')}` }, body };
    },
    newSecret: plain,
    bodies,
    signature: 'x-signature',
    old: 'timestamp_too_old',
  },
};

const started: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const source of started.splice(0)) await source.close();
});

async function start(settings: Settings, secrets: readonly string[]) {
  const source = await startSource({ receipt: numbered, connections: [connectionOf(settings, { webhook: secrets })] });
  started.push(source.source);
  const send = async ({ headers, body }: Signed) => {
    const response = await request(source.url, { method: 'POST', headers, body });
    return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
  };
  const codeOf = async (signed: Signed): Promise<string> => {
    const { status, body, headers } = await send(signed);
    if (status === 202) return 'accepted';
    expect(headers['www-authenticate']).toEqual(expect.any(String));
    expect(headers['content-type']).toBe('application/problem+json');
    return `${status} ${(JSON.parse(body) as { code: string }).code}`;
  };
  return { ...source, send, codeOf };
}

/** The same bytes but one. */
function withOneChanged(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
}

describe.each(Object.entries(senders))('%s', (_, { settings, sign, newSecret, bodies: payloads, signature, old }) => {
  test('its requests are accepted, byte for byte, and refused with one byte of the body changed', async () => {
    const key = newSecret();
    const { codeOf, offers, refusals } = await start({ auth: settings }, [key]);
    let changed = 0;
    for (const body of payloads) {
      const signed = await sign(body, key);
      // First the forged one: what is refused must not keep the right one out.
      if (body.length > 0) {
        changed++;
        expect(await codeOf({ ...signed, body: withOneChanged(body, changed % body.length) })).toBe('401 signature_mismatch');
      }
      expect(await codeOf(signed)).toBe('accepted');
    }
    expect(offers.map(({ message }) => Buffer.from(message.payload).toString('base64'))).toEqual(payloads.map((body) => body.toString('base64')));
    expect(refusals).toEqual(Array.from({ length: changed }, () => 'pip/src signature_mismatch'));
  });

  test('every other header that is signed counts, too; a missing or unreadable one is named', async () => {
    const key = newSecret();
    const { codeOf, send } = await start({ auth: settings }, [key]);
    const body = payloads[0] as Buffer;
    const signed = await sign(body, key);
    for (const name of Object.keys(signed.headers)) {
      if (name === 'x-github-delivery') continue;
      const { [name]: value = '', ...rest } = signed.headers;
      const missing = await send({ body, headers: rest });
      expect([missing.status, missing.body]).toEqual([401, expect.stringContaining(`The header ${name} is missing.`)]);
      expect(await codeOf({ body, headers: { ...signed.headers, [name]: 'nonsense' } }), name).toMatch(/^401 (credential_malformed|signature_mismatch)$/);
      // The last character but padding and the last bits of base64, which mean nothing.
      const at = value.replace(/=+$/, '').length - 3;
      const other = value[at] === '7' ? '8' : '7';
      expect(await codeOf({ body, headers: { ...signed.headers, [name]: value.slice(0, at) + other + value.slice(at + 1) } }), name).toMatch(
        /^401 (signature_mismatch|timestamp_too_old|timestamp_ahead)$/,
      );
    }
    expect(await codeOf({ body, headers: { ...signed.headers, [signature]: '' } })).toMatch(/^401 credential_m/);
    expect(await codeOf(signed)).toBe('accepted');
  });

  test('while the secret is rotated both are accepted, afterwards the new one alone; no other ever', async () => {
    const [before, after, foreign] = [newSecret(), newSecret(), newSecret()];
    const { codeOf, configure } = await start({ auth: settings }, [before]);
    const body = payloads[0] as Buffer;
    // Stripe and Slack know a message by its body.
    const answers = async (): Promise<string[]> => [
      await codeOf(await sign(body, before)),
      await codeOf(await sign(body, after)),
      await codeOf(await sign(body, foreign)),
    ];
    expect(await answers()).toEqual(['accepted', '401 signature_mismatch', '401 signature_mismatch']);
    configure([connectionOf({ auth: settings }, { webhook: [after, before] })]);
    expect(await answers()).toEqual(['accepted', 'accepted', '401 signature_mismatch']);
    configure([connectionOf({ auth: settings }, { webhook: [after] })]);
    expect(await answers()).toEqual(['401 signature_mismatch', 'accepted', '401 signature_mismatch']);
  });

  if (old !== null)
    test('a replay from beyond the tolerance is refused, on either side of the time', async () => {
      const key = newSecret();
      const { codeOf } = await start({ auth: { ...settings, toleranceSeconds: 60 } as typeof settings }, [key]);
      const body = payloads[0] as Buffer;
      expect(await codeOf(await sign(body, key, Date.now() - 70_000))).toBe(`401 ${old}`);
      expect(await codeOf(await sign(body, key, Date.now() + 70_000))).toBe('401 timestamp_ahead');
      expect(await codeOf(await sign(body, key, Date.now() - 45_000))).toBe('accepted');
    });
});

test('every kind of event that GitHub sends was among them', () => {
  expect(events.length).toBeGreaterThan(50);
});

describe('Standard Webhooks', () => {
  const pair = () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    return { privateKey, secret: `whpk_${Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url').toString('base64')}` };
  };

  test('v1a: signed with ed25519, the public key is all that is here; both keys of a rotation are accepted', async () => {
    const [before, after, foreign] = [pair(), pair(), pair()];
    const { codeOf } = await start({ auth: { scheme: 'standard-webhooks', secret } }, [after.secret, before.secret]);
    const signed = (key: typeof before): Signed => {
      const [id, at] = [nextId(), seconds(Date.now())];
      const bytes = signBytes(null, Buffer.concat([Buffer.from(`${id}.${at}.`), binary]), key.privateKey);
      return { headers: { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1a,${bytes.toString('base64')}` }, body: binary };
    };
    expect(await codeOf(signed(before))).toBe('accepted');
    expect(await codeOf(signed(after))).toBe('accepted');
    expect(await codeOf(signed(foreign))).toBe('401 signature_mismatch');
    const one = signed(after);
    expect(await codeOf({ ...one, body: withOneChanged(binary, 999) })).toBe('401 signature_mismatch');
    expect(await codeOf({ ...one, headers: { ...one.headers, 'webhook-id': 'another' } })).toBe('401 signature_mismatch');
  });

  test('a public key does not serve as the secret of an HMAC', async () => {
    const key = pair();
    const { codeOf } = await start({ auth: { scheme: 'standard-webhooks', secret } }, [key.secret]);
    const [id, at] = [nextId(), seconds(Date.now())];
    const forged = createHmac('sha256', Buffer.from(key.secret.slice(5), 'base64'))
      .update(`${id}.${at}.x`)
      .digest('base64');
    expect(await codeOf({ headers: { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${forged}` }, body: Buffer.from('x') })).toBe(
      '401 signature_mismatch',
    );
  });

  test('the right signature among several is found; behind the tenth nobody looks', async () => {
    const key = whsec();
    const { codeOf } = await start({ auth: { scheme: 'standard-webhooks', secret } }, [key]);
    const sign = senders['Standard Webhooks v1 (signatures of its own library)']?.sign as Sign;
    const wrong = `v1,${randomBytes(32).toString('base64')}`;
    const among = async (before: number): Promise<Signed> => {
      const signed = await sign(Buffer.from('x'), key);
      const list = [...Array.from({ length: before }, () => wrong), signed.headers['webhook-signature']];
      return { ...signed, headers: { ...signed.headers, 'webhook-signature': list.join(' ') } };
    };
    expect(await codeOf(await among(9))).toBe('accepted');
    expect(await codeOf(await among(10))).toBe('401 signature_mismatch');
  });

  test('an id with a dot is refused, since what is signed could be read in two ways', async () => {
    const key = whsec();
    const { codeOf } = await start({ auth: { scheme: 'standard-webhooks', secret } }, [key]);
    const at = seconds(Date.now());
    const signature = new Webhook(key).sign(`a.${at}`, new Date(Number(at) * 1_000), 'x');
    const headers = { 'webhook-id': `a.${at}`, 'webhook-timestamp': at, 'webhook-signature': signature };
    expect(await codeOf({ headers, body: Buffer.from('x') })).toBe('401 credential_malformed');
  });

  test('a secret that is none is told at its field, and the others go on', async () => {
    const other = { ...connectionOf({}, {}, 'pip/other') };
    other.settings = { ...other.settings, path: 'in_another_path' };
    const source = await startSource({ connections: [connectionOf({ auth: { scheme: 'standard-webhooks', secret } }, { webhook: ['not base64!'] }), other] });
    started.push(source.source);
    expect(source.errors).toEqual([{ connectionId: 'pip/src', errors: [{ path: '/auth/secret', message: expect.stringContaining('whsec_') }] }]);
    expect(JSON.stringify(source.errors)).not.toContain('not base64!');
    expect((await request(source.url, { method: 'POST', body: 'x' })).statusCode).toBe(404);
  });
});

test('a version that is mistyped in a rotation shuts nobody out who still has the other', async () => {
  const key = whsec();
  const { codeOf, errors } = await start({ auth: { scheme: 'standard-webhooks', secret } }, ['whsec_not base64!', key]);
  const sign = senders['Standard Webhooks v1 (signatures of its own library)']?.sign as Sign;
  expect([errors, await codeOf(await sign(Buffer.from('x'), key))]).toEqual([[], 'accepted']);
});

describe('Slack', () => {
  test('its challenge is answered when it is signed, and is no message', async () => {
    const key = plain();
    const { send, codeOf, offers } = await start({ auth: { scheme: 'slack', secret } }, [key]);
    const sign = senders.Slack?.sign as Sign;
    const body = Buffer.from('{"token":"x","challenge":"3eZbrw1aB10FEMAGAZd4FyFQ","type":"url_verification"}');
    expect(await codeOf(await sign(body, plain()))).toBe('401 signature_mismatch');
    const { status, body: answer, headers } = await send(await sign(body, key));
    expect([status, answer, headers['content-type']]).toEqual([200, '3eZbrw1aB10FEMAGAZd4FyFQ', 'text/plain; charset=utf-8']);
    expect(offers).toEqual([]);
  });
});
