import { describe, expect, test } from 'vitest';
import { createIdentity } from './certificate.ts';
import { formatHandshake, negotiateVersion, parseHandshake } from './handshake.ts';

const expected = { versions: [1, 2], socketDir: '/tmp/vrsky-p-abc' };
const { certDer } = createIdentity();
const cert = certDer.toString('base64').replace(/=+$/, '');
const good = `1|1|unix|/tmp/vrsky-p-abc/plugin1|grpc|${cert}`;

describe('a handshake is read', () => {
  test('as our own half writes it', () => {
    const line = formatHandshake({ version: 2, socketPath: '/tmp/vrsky-p-abc/plugin7', serverCert: certDer, multiplexAsked: false });
    expect(line.endsWith('\n')).toBe(true);
    expect(parseHandshake(line, expected)).toEqual({ version: 2, target: 'unix:/tmp/vrsky-p-abc/plugin7', serverCert: certDer });
  });

  test.each([
    ['with the answer about multiplexing', `${good}|false`],
    ['with fields of a later protocol', `${good}|false|later`],
    ['with carriage return and blanks around it', ` ${good} \r`],
    ['with a padded certificate', `1|1|unix|/tmp/vrsky-p-abc/plugin1|grpc|${certDer.toString('base64')}`],
  ])('%s', (_, line) => {
    expect(parseHandshake(line, expected).serverCert).toEqual(certDer);
  });

  test('with a port on loopback, as plugins on Windows have', () => {
    expect(parseHandshake(`1|1|tcp|127.0.0.1:10000|grpc|${cert}`, expected).target).toBe('127.0.0.1:10000');
  });
});

describe('a handshake is refused', () => {
  test.each([
    ['empty', ''],
    ['a print that came first', 'Starting up…'],
    ['three fields', '1|1|unix'],
    ['another core version', good.replace('1|1', '2|1')],
    ['a core version that only looks like ours', good.replace('1|1', '01|1')],
    ['no application version', good.replace('1|1', '1|')],
    ['an application version in hexadecimal', good.replace('1|1', '1|0x1')],
    ['an application version with an exponent', good.replace('1|1', '1|1e0')],
    ['a huge application version', good.replace('1|1', '1|99999999999999999999')],
    ['another network', good.replace('unix', 'unixgram')],
    ['the old net/rpc protocol, by leaving it out', '1|1|unix|/tmp/vrsky-p-abc/plugin1'],
    ['the old net/rpc protocol, by name', good.replace('grpc', 'netrpc')],
    ['a socket elsewhere', good.replace('/tmp/vrsky-p-abc/plugin1', '/run/docker.sock')],
    ['a socket above its directory', good.replace('plugin1', '../docker.sock')],
    ['a socket in a folder below', good.replace('plugin1', 'a/plugin1')],
    ['a directory with the same beginning', good.replace('vrsky-p-abc/', 'vrsky-p-abcd/')],
    ['a relative socket', good.replace('/tmp/vrsky-p-abc/', '')],
    ['a socket path with a zero byte', good.replace('plugin1', 'plug\0in')],
    ['a socket path of 200 bytes', good.replace('plugin1', 'p'.repeat(200))],
    ['an address on another machine', `1|1|tcp|192.0.2.1:443|grpc|${cert}`],
    ['a name that could resolve anywhere', `1|1|tcp|localhost:443|grpc|${cert}`],
    ['port 0', `1|1|tcp|127.0.0.1:0|grpc|${cert}`],
    ['a port that is none', `1|1|tcp|127.0.0.1:65536|grpc|${cert}`],
    ['no certificate', '1|1|unix|/tmp/vrsky-p-abc/plugin1|grpc|'],
    ['a certificate field of older plugins', '1|1|unix|/tmp/vrsky-p-abc/plugin1|grpc|extra'],
    ['a certificate that is not base64', `1|1|unix|/tmp/vrsky-p-abc/plugin1|grpc|${'?'.repeat(600)}`],
  ])('%s', (_, line) => {
    expect(() => parseHandshake(line, expected)).toThrow(expect.objectContaining({ code: 'PLUGIN.HANDSHAKE', source: 'plugin' }));
  });

  test('a version that we do not speak, saying so', () => {
    expect(() => parseHandshake(good.replace('1|1', '1|7'), expected)).toThrow(
      expect.objectContaining({ code: 'PLUGIN.VERSION', message: 'the plugin speaks version 7, we speak 1, 2' }),
    );
  });

  test('and what it said is shortened and without control characters', () => {
    try {
      parseHandshake(`${'\u001b[31m'.repeat(100)}`, expected);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).not.toContain('\u001b');
      expect((error as Error).message.length).toBeLessThan(700);
    }
  });
});

test('the seventh field is answered only when asked for: older hosts would read it as part of the certificate', () => {
  const o = { version: 1, socketPath: '/s', serverCert: null };
  expect(formatHandshake({ ...o, multiplexAsked: false })).toBe('1|1|unix|/s|grpc|\n');
  expect(formatHandshake({ ...o, multiplexAsked: true })).toBe('1|1|unix|/s|grpc||false\n');
});

test('the highest version that both speak is taken, else our lowest', () => {
  expect(negotiateVersion([1, 2, 3], '2,1')).toBe(2);
  expect(negotiateVersion([1, 2, 3], '7')).toBe(1);
  expect(negotiateVersion([1, 2, 3], undefined)).toBe(1);
});
