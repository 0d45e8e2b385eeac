import type { LookupFunction, Socket } from 'node:net';
import type { buildConnector } from 'undici';
import { describe, expect, test } from 'vitest';
import { createEgress, createGuard } from './egress.ts';

type Answer = string | string[];

/** Connects to nothing: asks the resolver as `net.connect` does and says that it reached the first answer, or `peer`. */
function pretend(names: Record<string, Answer | Answer[]>, o: { allow?: string[]; peer?: string; wantsAll?: boolean } = {}) {
  const log = { lookups: 0, connected: [] as string[], destroyed: 0 };
  const lookup = ((hostname: string, options: { all?: boolean }, callback: (error: Error | null, answer: unknown, family?: number) => void) => {
    const known = names[hostname];
    const turn = Array.isArray(known) && Array.isArray(known[0]) ? (known[Math.min(log.lookups, known.length - 1)] as string[]) : known;
    log.lookups++;
    if (turn === undefined) return callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), []);
    const list = (Array.isArray(turn) ? turn : [turn]) as string[];
    const addresses = list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    if (options.all) callback(null, addresses);
    else callback(null, list[0], addresses[0]?.family);
  }) as LookupFunction;
  const connect = (from: { lookup: LookupFunction }): buildConnector.connector => {
    return (target, callback) => {
      const done = (address: string): void => {
        log.connected.push(address);
        callback(null, { remoteAddress: o.peer ?? address, destroy: () => void log.destroyed++ } as unknown as Socket);
      };
      const host = target.hostname.replace(/^\[|\]$/g, '');
      if (/^[\d.]+$|:/.test(host)) return done(host);
      from.lookup(host, { all: o.wantsAll ?? true }, (error, answer) => {
        if (error) return callback(error, null);
        done(typeof answer === 'string' ? answer : (answer[0]?.address as string));
      });
    };
  };
  const egress = createEgress({ guard: createGuard({ allow: new Set(o.allow), lookup }), way: { connectTimeoutMs: 1_000, http2: false, tls: {} }, connect });
  const go = (url: string): Promise<string> => {
    const { hostname, port, protocol, host } = new URL(url);
    return new Promise((resolve) =>
      egress({ hostname, port, protocol, host }, (error, socket) =>
        resolve(error === null ? `reached ${(socket as Socket).remoteAddress}` : ((error as NodeJS.ErrnoException).code ?? error.message)),
      ),
    );
  };
  return { go, log };
}

describe('a request to the inside is refused', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://127。0。0。1/',
    'http://①②⑦.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:7f00:1]/',
    'http://[64:ff9b::7f00:1]/',
    'https://169.254.169.254/latest/meta-data',
    'http://[fd00:ec2::254]/',
    'http://0.0.0.0:4803/',
    'http://10.0.0.5:8080/',
    'http://127.0.0.1./',
    'http://017700000001/',
    'http://0x7f000001/',
    'http://0x7f.0x0.0x0.0x1/',
    'http://3232235777/',
    'http://169.254.43518/',
    'http://%31%32%37.0.0.1/',
    'http://[::127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:127.0.0.1]/',
    'http://[::ffff:0:127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001:0:1234::80ff:fffe]/',
    'http://[64:ff9b:1::a9fe:a9fe]/',
    'http://[2a00:1450::5efe:7f00:1]/',
    'http://[::]:80/',
    'http://[fe80::1]/',
  ])('by its address, before anything is opened: %s', async (url) => {
    const { go, log } = pretend({});
    expect(await go(url)).toBe('EGRESS_FORBIDDEN');
    expect(log).toEqual({ lookups: 0, connected: [], destroyed: 0 });
  });

  test.each(['127.0.0.1', '::1', '169.254.169.254', '::ffff:10.0.0.1'])('by a name that resolves to %s', async (address) => {
    const { go, log } = pretend({ 'evil.test': address });
    expect(await go('http://evil.test/')).toBe('EGRESS_FORBIDDEN');
    expect(log.connected).toEqual([]);
  });

  test('by a name of which only one answer is inside', async () => {
    expect(await pretend({ 'evil.test': ['93.184.216.34', '127.0.0.1'] }).go('http://evil.test/')).toBe('EGRESS_FORBIDDEN');
  });

  test('by `localhost.` and other names of ourselves', async () => {
    const { go } = pretend({ 'localhost.': '127.0.0.1', localhost: '::1' });
    expect(await go('http://localhost./')).toBe('EGRESS_FORBIDDEN');
    expect(await go('http://localhost:4800/')).toBe('EGRESS_FORBIDDEN');
  });

  test('by the peer, when the resolver’s answer was not what was connected to', async () => {
    const { go, log } = pretend({ 'evil.test': '93.184.216.34' }, { peer: '127.0.0.1' });
    expect(await go('http://evil.test/')).toBe('EGRESS_FORBIDDEN');
    expect(log.destroyed).toBe(1);
  });

  test('by a name that answers differently the second time: it is asked once, and that answer counts', async () => {
    const { go, log } = pretend({ 'evil.test': [['93.184.216.34'], ['127.0.0.1']] });
    expect(await go('http://evil.test/')).toBe('reached 93.184.216.34');
    expect(log.lookups).toBe(1);
    expect(await go('http://evil.test/')).toBe('EGRESS_FORBIDDEN');
  });
});

describe('the operator’s list', () => {
  const allow = ['127.0.0.1:4802', 'receiver.internal:80', '::1:4802'];

  test('opens exactly what it names', async () => {
    const { go } = pretend({ 'receiver.internal': '10.1.2.3' }, { allow });
    expect(await go('http://127.0.0.1:4802/bin')).toBe('reached 127.0.0.1');
    expect(await go('http://[::1]:4802/')).toBe('reached ::1');
    expect(await go('http://receiver.internal/')).toBe('reached 10.1.2.3');
    expect(await go('http://RECEIVER.internal:80/')).toBe('reached 10.1.2.3');
  });

  test.each([
    'http://127.0.0.1:4803/',
    'http://127.0.0.1/',
    'https://127.0.0.1/',
    'http://127.0.0.2:4802/',
    'http://receiver.internal:8080/',
    'https://receiver.internal/',
    'http://localhost:4802/',
  ])('opens nothing beside it: %s', async (url) => {
    const { go } = pretend({ 'receiver.internal': '10.1.2.3', localhost: '127.0.0.1' }, { allow });
    expect(await go(url)).toBe('EGRESS_FORBIDDEN');
  });
});

test('a public address is reached, by name and by number, for one answer and for all', async () => {
  expect(await pretend({ 'example.test': '93.184.216.34' }).go('https://example.test/')).toBe('reached 93.184.216.34');
  expect(await pretend({ 'example.test': ['93.184.216.34', '2606:4700::1111'] }, { wantsAll: false }).go('https://example.test/')).toBe(
    'reached 93.184.216.34',
  );
  expect(await pretend({}).go('http://[2606:4700::1111]/')).toBe('reached 2606:4700::1111');
});

test('a name that is not known is that, not a refusal', async () => {
  expect(await pretend({}).go('http://nowhere.test/')).toBe('ENOTFOUND');
});
