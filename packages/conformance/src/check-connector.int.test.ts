import path from 'node:path';
import { repositoryRoot } from '@vrsky/testkit/config';
import { buildGoPrograms, goMissing } from '@vrsky/testkit/go';
import { freePort } from '@vrsky/testkit/ports';
import { requestBin } from '@vrsky/testkit/request-bin';
import { scratchDir } from '@vrsky/testkit/scratch';
import { describe, expect, test } from 'vitest';
import { checkConnector, checkNames, type Report } from './check-connector.ts';
import type { CheckOptions } from './session.ts';

const missing = goMissing();
const unless = missing === null ? '' : ` (skipped: ${missing})`;
const BUILD_MS = 600_000;
const node = process.execPath;
const misbehaving = path.join(import.meta.dirname, 'fixtures', 'misbehaving.ts');

const states = ({ checks }: Report, state: string): string[] =>
  checks.filter((check) => check.state === state).map(({ name, reason }) => (state === 'failed' ? `${name}: ${reason}` : name));

/** What a connector of both roles cannot show. */
const skipped = ['receive.role', 'send.role'];

describe('a reference connector holds', () => {
  test('the HTTP one', async () => {
    await using bin = await requestBin();
    const port = await freePort();
    const report = await checkConnector({
      command: node,
      args: [path.join(repositoryRoot, 'connectors/http/src/main.ts')],
      env: { VRSKY_HTTP_LISTEN: `127.0.0.1:${port}`, VRSKY_EGRESS_ALLOW: new URL(bin.url).host },
      settings: { source: { path: 'in_0123456789' }, destination: { url: bin.url } },
      request: { url: `http://127.0.0.1:${port}/in/in_0123456789`, body: 'hello' },
    });
    expect(states(report, 'failed')).toEqual([]);
    expect(states(report, 'skipped')).toEqual(skipped);
    expect(report.connector?.name).toBe('http');
    expect(report.checks.find(({ name }) => name === 'send.batch')?.reason).toBe('1,000 ok');
    expect(report.checks.find(({ name }) => name === 'receive.replies')?.reason).toBe('the sender got its result');
  });

  test.skipIf(missing !== null)(`the Go one${unless}`, { timeout: BUILD_MS }, async () => {
    const programs = await buildGoPrograms(['vrsky-connector-schedule-and-file']);
    const report = await checkConnector({
      command: programs['vrsky-connector-schedule-and-file'],
      env: { VRSKY_DATA_DIR: scratchDir('data') },
      settings: { source: { every: '50ms' } },
    });
    expect(states(report, 'failed')).toEqual([]);
    expect(states(report, 'skipped')).toEqual(['receive.role', 'receive.replies', 'send.role']);
    expect(report.connector?.name).toBe('schedule-and-file');
    expect(report.checks.find(({ name }) => name === 'send.large')?.reason).toBe('1 ok');
  });
});

describe('a connector that misbehaves fails', () => {
  const limits = { startMs: 10_000, callMs: 1_500, quietMs: 100, sourceMs: 500, orphanMs: 1_500 };
  const run = (faults: string[], more: Partial<CheckOptions> = {}): Promise<Report> =>
    checkConnector({ command: node, args: [misbehaving], env: { FAULTS: faults.join() }, limits, ...more });

  test('nothing when it does not', async () => {
    const report = await run([]);
    expect(states(report, 'failed')).toEqual([]);
    expect(states(report, 'skipped')).toEqual(skipped);
  });

  const named = (group: string): string[] => checkNames.filter((name) => name.startsWith(`${group}.`));
  // Faults that do not hide each other go together. Every check that a connector of both roles can fail is in one of these.
  const groups: [faults: string[], only?: readonly string[]][] = [
    [['handshake.cookie', 'handshake.version', 'handshake.mtls', 'orphan']],
    [['handshake.line']],
    [['health'], ['handshake.line', 'health']],
    [['describe.identity', 'describe.words', 'describe.secrets', 'describe.stable'], named('describe')],
    [
      ['describe.schemas', 'describe.roles'],
      ['describe.identity', 'describe.roles', 'describe.schemas'],
    ],
    [['validate.wrong', 'validate.text', 'validate.role', 'validate.hostile', 'validate.probe'], named('validate')],
    [['validate.good'], ['validate.good', 'configure.empty']],
    [['configure.empty', 'configure.again', 'configure.older', 'configure.bad'], named('configure')],
    [['receive.credit', 'receive.acks']],
    [['receive.shape']],
    [['receive.again']],
    [['receive.replies']],
    [['send.unknown', 'send.large', 'send.batch', 'send.broken'], named('send')],
    [['send.results']],
    [
      ['secrets.process', 'secrets.log', 'drain', 'shutdown'],
      ['configure.again', 'secrets.process', 'secrets.log', 'drain', 'shutdown'],
    ],
  ];

  test.each(groups)('%j, and nothing else', async (faults, only) => {
    const report = await run(faults, { only: only ?? faults });
    const failed = report.checks.filter(({ state }) => state === 'failed');
    expect(failed.map(({ name }) => name).sort(), JSON.stringify(failed, null, 1)).toEqual(faults.toSorted());
    for (const { reason } of failed) expect(reason).toMatch(/^[A-Z`\d].{20,}[.?]$/s);
  });

  const roles = [
    ['destination', 'receive.role'],
    ['source', 'send.role'],
  ] as const;

  test.each(roles)('nothing when it is a %s alone, and %s when it leaves a stream of the other role open', async (role, check) => {
    const good = await run([], { env: { ROLES: role } });
    expect(states(good, 'failed')).toEqual([]);
    expect(states(good, 'passed')).toContain(check);
    const bad = await run([], { env: { ROLES: role, FAULTS: check }, only: [check] });
    expect(bad.checks).toMatchObject([{ name: check, state: 'failed', reason: expect.stringContaining('leaves') }]);
  });

  test('each check, so that none of them always passes', () => {
    const tried = [...groups.flatMap(([faults]) => faults), ...roles.map(([, check]) => check)];
    expect(tried.toSorted()).toEqual(checkNames.toSorted());
  });

  test('everything when it is no connector at all', async () => {
    const report = await run([], { command: '/bin/true', args: [], limits: { ...limits, startMs: 2_000 } });
    expect(report.connector).toBeNull();
    expect(states(report, 'passed')).toEqual([]);
    expect(report.checks.find(({ name }) => name === 'health')?.reason).toMatch(/^It did not start: .*ended before its handshake/);
  });
});
