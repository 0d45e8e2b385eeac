import { expect, test } from 'vitest';
import { createAwsSigner } from './aws-signer.ts';
import type { OutgoingRequest } from './request.ts';

/** The example key, date and service of AWS's own test suite for Signature Version 4. */
const sign = createAwsSigner({
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
  region: 'us-east-1',
  service: 'service',
  now: () => new Date('2015-08-30T12:36:00Z'),
});

const request = (more: Partial<OutgoingRequest>): OutgoingRequest => ({
  origin: 'https://example.amazonaws.com',
  method: 'GET',
  path: '/',
  headers: [],
  body: null,
  ...more,
});

test.each([
  ['get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['get-vanilla-query-order-key-case', { path: '/?Param2=value2&Param1=value1' }, 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500'],
  ['post-vanilla', { method: 'POST' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  [
    'post-x-www-form-urlencoded',
    { method: 'POST', headers: ['Content-Type', 'application/x-www-form-urlencoded'], body: Buffer.from('Param1=value1') },
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  ],
])('%s of AWS’s test suite has the signature that it gives', async (_, more, signature) => {
  const headers = await sign(request(more));
  expect(headers.join('\n')).toContain(`Signature=${signature}`);
  expect(headers[headers.indexOf('x-amz-date') + 1]).toBe('20150830T123600Z');
});

test('every request is signed anew: another body, another signature; a session token is in the request', async () => {
  const post = (body: string) => request({ method: 'POST', body: Buffer.from(body) });
  const [a, b] = [await sign(post('a')), await sign(post('b'))];
  expect(a).not.toEqual(b);
  const temporary = createAwsSigner({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'k', sessionToken: 'session', region: 'eu-central-1', service: 's3' });
  const headers = await temporary(post('a'));
  expect(headers).toContain('x-amz-security-token');
  expect(headers).toContain('x-amz-content-sha256');
});
