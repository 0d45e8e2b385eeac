import { describe, expect, test } from 'vitest';
import { secretProblems } from './authentication.ts';
import { secretOf } from './destination.test-support.ts';
import { maySendTo, mayUseFor } from './secret-hosts.ts';
import { type DestinationSettings, destinationSettingsSchema } from './settings.ts';

test.each([
  [['api.example.com'], 'api.example.com', '443', true],
  [['API.example.com'], 'api.EXAMPLE.com', '443', true],
  [['api.example.com'], 'api.example.com.', '443', true],
  [['api.example.com:8443'], 'api.example.com', '8443', true],
  [['api.example.com:8443'], 'api.example.com', '443', false],
  [['*.example.com'], 'eu.api.example.com', '443', true],
  [['*.example.com:8443'], 'eu.example.com', '8443', true],
  [['*.example.com:8443'], 'eu.example.com', '443', false],
  [['*.example.com'], '.example.com', '443', false],
  [['[2606:4700::1111]:8443'], '2606:4700::1111', '8443', true],
  [['[2606:4700::1111]:8443'], '2606:4700::1111', '443', false],
  [['*.example.com'], 'example.com', '443', false],
  [['*.example.com'], 'badexample.com', '443', false],
  [['example.com'], 'api.example.com', '443', false],
  [['example.com'], 'example.com.evil.test', '443', false],
  [['example.com'], 'evil-example.com', '443', false],
  [['[2606:4700::1111]'], '2606:4700::1111', '443', true],
  [['2606:4700::1111'], '[2606:4700::1111]', '443', true],
  [['*'], 'example.com', '443', false],
  [[], 'example.com', '443', false],
])('with the hosts %j a value goes to %s:%s: %s', (hosts, host, port, expected) => {
  expect(maySendTo(secretOf('s', hosts, 'v'), host, port)).toBe(expected);
});

test('a key that only signs needs no host, but keeps to those that it has', () => {
  expect([mayUseFor(secretOf('k', [], 'v'), 'a.test', '443'), mayUseFor(secretOf('k', ['b.test'], 'v'), 'a.test', '443')]).toEqual([true, false]);
});

describe('a destination is refused when it is checked', () => {
  const ref = { $secret: 's' };
  const problems = (settings: object, hosts: string[], value = 'a-long-value'): { path: string; message: string }[] => {
    const parsed: DestinationSettings = destinationSettingsSchema.parse({ url: 'https://api.example.com/x', ...settings });
    return secretProblems(parsed, new URL('https://api.example.com'), () => secretOf('s', hosts, value));
  };

  test.each([
    ['/auth/token', { auth: { scheme: 'bearer', token: ref } }],
    ['/auth/password', { auth: { scheme: 'basic', username: 'u', password: ref } }],
    ['/auth/value', { auth: { scheme: 'api_key', name: 'x-key', value: ref } }],
    ['/signing/key', { signing: { key: ref } }],
  ])('with the field %s, whose secret is for another host', (path, settings) => {
    expect(problems(settings, ['elsewhere.test'])).toEqual([
      { path, message: expect.stringMatching(/^The secret s may not be .* api\.example\.com: its hosts are elsewhere\.test\./) },
    ]);
  });

  test('an OAuth client secret is for the token endpoint, not for the receiver', () => {
    const auth = { scheme: 'oauth2', tokenUrl: 'https://login.example.com/token', clientId: 'c', clientSecret: ref };
    expect(problems({ auth }, ['login.example.com'])).toEqual([]);
    expect(problems({ auth }, ['api.example.com'])).toMatchObject([{ path: '/auth/clientSecret', message: expect.stringContaining('login.example.com') }]);
  });

  test('by a value that cannot be what it is used as, which is not repeated', () => {
    const auth = { scheme: 'bearer', token: ref };
    const [problem] = problems({ auth }, ['api.example.com'], 'two\nlines');
    expect(problem).toMatchObject({ path: '/auth/token' });
    expect(problem?.message).not.toContain('two');
    expect(problems({ signing: { key: ref } }, [], 'short')).toMatchObject([{ path: '/signing/key', message: expect.stringContaining('whsec_') }]);
    expect(problems({ tls: { clientCertificate: ref, clientKey: ref } }, [], 'x')).toMatchObject([
      { path: '/tls/clientCertificate' },
      { path: '/tls/clientKey' },
    ]);
  });
});
