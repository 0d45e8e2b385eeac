import type { HttpDestinationSpec } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import { secretHosts } from './secret-hosts.ts';

const of = (settings: object, pointer: string) =>
  secretHosts({ url: 'https://api.example.com/orders/{{ message.id }}', ...settings } as HttpDestinationSpec['settings'], pointer);

test('a secret that is sent with the request is for the host of the URL', () => {
  expect(of({}, '/auth/token')).toEqual(['api.example.com']);
  expect(of({ url: 'http://127.0.0.1:6707/x' }, '/auth/password')).toEqual(['127.0.0.1:6707']);
});

test('a client secret is for the host of the token URL alone', () => {
  expect(of({ auth: { scheme: 'oauth2', tokenUrl: 'https://login.example.com/token' } }, '/auth/clientSecret')).toEqual(['login.example.com']);
  expect(of({ auth: { scheme: 'oauth2' } }, '/auth/clientSecret')).toEqual([]);
});

test('a key that only signs is sent nowhere, and half a URL is no host', () => {
  expect(of({}, '/signing/key')).toEqual([]);
  expect(of({}, '/auth/secretAccessKey')).toEqual([]);
  expect(of({}, '/tls/clientKey')).toEqual([]);
  expect(of({ url: 'https://' }, '/auth/token')).toEqual([]);
});
