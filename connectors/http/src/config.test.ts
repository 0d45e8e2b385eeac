import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

test('nothing set means the dev stack', () => {
  expect(readConfig({})).toEqual({ roles: ['source', 'destination'], listen: { host: '127.0.0.1', port: 4801 }, egressAllow: new Set(), dataDir: null });
});

test('hosts and ports are read, in lower case, IPv6 without brackets', () => {
  expect(
    readConfig({
      VRSKY_HTTP_ROLES: 'source',
      VRSKY_HTTP_LISTEN: '[::1]:0',
      VRSKY_DATA_DIR: '/var/lib/it',
      VRSKY_EGRESS_ALLOW: ' 127.0.0.1:4802, Receiver.Internal:80,[FD00::1]:443 ,',
    }),
  ).toEqual({
    roles: ['source'],
    listen: { host: '::1', port: 0 },
    egressAllow: new Set(['127.0.0.1:4802', 'receiver.internal:80', 'fd00::1:443']),
    dataDir: '/var/lib/it',
  });
});

test('everything that is wrong is said at once, and nothing falls back to a default', () => {
  expect(() => readConfig({ VRSKY_HTTP_ROLES: 'source,sink', VRSKY_HTTP_LISTEN: '4801', VRSKY_EGRESS_ALLOW: 'a:1,10.0.0.0/8:80,b:0,c:99999' })).toThrow(
    /VRSKY_HTTP_ROLES must be .*, not "source,sink"\n.*VRSKY_HTTP_LISTEN must be host:port, not "4801"\n.*"10\.0\.0\.0\/8:80" is not\n.*"b:0" is not\n.*"c:99999" is not/,
  );
});
