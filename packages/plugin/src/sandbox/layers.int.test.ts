import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { plainEnv } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { findProcess } from '@vrsky/testkit/process-record';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { removeForgottenCgroups } from './cgroup.ts';
import { confine } from './confine.ts';
import { namespaces, needs, only, policy, report, runInside, script, shell, startInside } from './inside.test-support.ts';
import type { SandboxLayer } from './layers.ts';
import { planSandbox } from './plan.ts';
import { processesOfUid } from './processes.ts';
import { takeUid } from './uids.ts';

// Each layer alone, attacked by a small program; the same attack is shown to work where the layer is not.

/** Stands in for the node where an attack would end it. */
let victim: ChildProcess;
const keyDir = scratchDir('node');
const keyFile = join(keyDir, 'keys.json');

beforeAll(async () => {
  writeFileSync(keyFile, 'the node’s keys', { mode: 0o600 });
  victim = spawn('sleep', ['600'], { stdio: 'ignore' });
  await once(victim, 'spawn');
});
afterAll(() => void victim.kill('SIGKILL'));
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const nowhere = { executable: '/bin/sh', scratchDir: '/nonexistent', uid: null, cgroup: null };
const onNode = (): Record<string, string> => ({ NODE: String(process.pid), VICTIM: String(victim.pid), KEYS: keyFile });
const isThere = (pid: number): boolean => findProcess(pid) !== null;

const ownUser = needs('uid');
describe.skipIf(ownUser.skip)(`a user of its own${ownUser.why}`, () => {
  const attacks = {
    'reads the keys': 'cat "$KEYS"',
    'reads the environment': 'cat "/proc/$NODE/environ"',
    'reads the memory': 'dd if="/proc/$NODE/mem" bs=1 count=1 skip=$((0x$(head -c 12 "/proc/$NODE/maps" | cut -d- -f1))) iflag=skip_bytes',
    'lists the descriptors': 'ls "/proc/$NODE/fd/"',
    'signals the node': 'kill -0 "$NODE"',
    'ends the node': 'kill -9 "$VICTIM"',
  };
  const attack = Object.entries(attacks)
    .map(([name, line]) => `(${line}) >/dev/null 2>&1 && echo "${name}"`)
    .join('\n');

  test('neither reads the node’s keys, environment, memory and descriptors, nor signals it', async () => {
    expect((await runInside(['uid'], shell(attack), { env: onNode() })).output).toBe('');
    expect(isThere(victim.pid as number)).toBe(true);
    const without = await runInside([], shell(attack.replace('kill -9', 'kill -0')), { env: onNode() });
    expect(without.output.trim().split('\n')).toEqual(Object.keys(attacks));
  });

  test('does not enter the folder where another plugin has its sockets', async () => {
    await using other = await startInside(['uid'], shell('echo >"$TMPDIR/socket"; chmod 777 "$TMPDIR/socket"; echo ready; exec sleep 300'));
    await eventually(() => other.output() === 'ready\n');
    const look = shell('ls "$OTHER"; cat "$OTHER/socket"; (: >"$OTHER/mine"); kill -9 "$PEER"');
    const { output } = await runInside(['uid'], look, { env: { OTHER: other.scratch, PEER: String(other.child.pid) } });
    expect(output.match(/denied|not permitted/g)).toHaveLength(4);
    expect(statSync(other.scratch).mode & 0o777).toBe(0o700);
  });

  test('is given to one plugin at a time, and free again afterwards', async () => {
    const range = { first: 29_000, count: 2 };
    const [one, two] = [await takeUid(range), await takeUid(range)];
    expect([one.uid, two.uid].sort()).toEqual([29_000, 29_001]);
    await expect(takeUid(range)).rejects.toMatchObject({ code: 'PLUGIN.SANDBOX', message: expect.stringContaining('29000 to 29001') });
    await one.release();
    const again = await takeUid(range);
    expect(again.uid).toBe(one.uid);
    await Promise.all([two.release(), again.release()]);
  });

  test('has no capability and no other group, nor can it get one', async () => {
    const { output } = await runInside(['uid'], shell('id -u; id -G; grep -E "^Cap(Eff|Prm|Bnd|Amb|Inh)" /proc/self/status | cut -f2 | sort -u'));
    const [user, groups, ...capabilities] = output.trim().split('\n');
    expect(Number(user)).toBeGreaterThanOrEqual(20_000);
    expect(groups).toBe(user);
    expect(capabilities).toEqual(['0'.repeat(16)]);
  });

  test('takes all its processes with it, also those that left group and session', async () => {
    await using running = await startInside(['uid'], shell('setsid sleep 300 & setsid sh -c "sleep 300 & sleep 300" & wait'));
    const { uid } = statSync(running.scratch);
    await eventually(() => processesOfUid(uid).length === 5);
    await running.confinement.endAll();
    await eventually(() => processesOfUid(uid).length === 0);
  });

  test('finds what it stored under another user, and nothing else becomes its own', async () => {
    const dataDir = join(scratchDir('data'), 'connector');
    await expect(runInside(['uid'], shell('true'), { policy: { dataDir } })).rejects.toMatchObject({ code: 'PLUGIN.SANDBOX' });
    chmodSync(dirname(dataDir), 0o755);
    await runInside(['uid'], shell('echo mine >"$DATA/kept"; mkdir "$DATA/sub"; echo deep >"$DATA/sub/kept"'), { policy: { dataDir }, env: { DATA: dataDir } });
    const first = statSync(join(dataDir, 'kept')).uid;
    symlinkSync(keyFile, join(dataDir, 'link'));
    linkSync(keyFile, join(dataDir, 'hard'));
    const elsewhere = scratchDir('elsewhere');
    writeFileSync(join(elsewhere, 'file'), '');
    chownSync(join(elsewhere, 'file'), first, first);
    symlinkSync(elsewhere, join(dataDir, 'folder'));
    const taken = await takeUid(); // so that the next one is another
    expect(taken.uid).toBe(first);
    const { output } = await runInside(['uid'], shell('cat "$DATA/kept" "$DATA/sub/kept"; echo more >>"$DATA/sub/kept"; cat "$DATA/link" "$DATA/hard"'), {
      policy: { dataDir },
      env: { DATA: dataDir },
    });
    await taken.release();
    expect(output).toMatch(/^mine\ndeep\n/);
    expect(output.match(/Permission denied/g)).toHaveLength(2);
    expect(readFileSync(join(dataDir, 'sub', 'kept'), 'utf8')).toBe('deep\nmore\n');
    expect(statSync(keyFile).uid).toBe(process.getuid?.());
    expect(statSync(join(elsewhere, 'file')).uid).toBe(first);
  });

  test('that cannot reach the executable is told so by the name of the folder', async () => {
    const closed = scratchDir('closed');
    const program = join(closed, 'connector');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    await expect(runInside(['uid'], [program])).rejects.toMatchObject({ code: 'PLUGIN.SANDBOX', message: expect.stringContaining(`${closed} is closed`) });
    chmodSync(closed, 0o755);
    chmodSync(program, 0o700);
    await expect(runInside(['uid'], [program])).rejects.toMatchObject({ code: 'PLUGIN.SANDBOX', message: expect.stringContaining('chmod 0755') });
  });
});

const privileges = needs('uid', 'no-new-privs');
test.skipIf(privileges.skip)(`a setuid program gives a plugin nothing with no-new-privs${privileges.why}`, async () => {
  const dir = scratchDir('setuid');
  cleanups.push(() => rmSync(dir, { recursive: true })); // never to be found by somebody else
  chmodSync(dir, 0o755);
  const program = join(dir, 'id');
  copyFileSync('/usr/bin/id', program);
  chmodSync(program, 0o4755);
  expect((await runInside(['uid'], [program, '-u'])).output).toBe('0\n');
  expect(Number((await runInside(['uid', 'no-new-privs'], [program, '-u'])).output)).toBeGreaterThanOrEqual(20_000);
});

test.skipIf(privileges.skip)(`capabilities of a node that is not root are not handed on${privileges.why}`, async () => {
  const capable = spawn(
    report.means.setpriv as string,
    [
      ...['--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '+kill', '--ambient-caps', '+kill', '--'],
      ...[
        '/bin/sh',
        '-c',
        `grep ^CapEff /proc/self/status; ${planSandbox(only('no-new-privs'), policy, nowhere).prefix.join(' ')} grep ^CapEff /proc/self/status`,
      ],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  capable.stdout.on('data', (text) => (output += String(text)));
  await once(capable, 'close');
  expect(output).toBe('CapEff:\t0000000000000020\nCapEff:\t0000000000000000\n');
});

const limits = needs('limits');
describe.skipIf(limits.skip)(`limits of a process${limits.why}`, () => {
  test('a file larger than allowed ends the plugin, and the reason is said', async () => {
    const write = shell('exec head -c 8192 /dev/zero >"$TMPDIR/large"');
    const { signal, reason } = await runInside(['limits'], write, { policy: { fileBytesMax: 4_096 } });
    expect({ signal, reason }).toEqual({ signal: 'SIGXFSZ', reason: 'It wrote a file larger than the 4096 bytes that it may write.' });
  });

  test('descriptors, core dumps and locked memory', async () => {
    const open = script(`
      import { openSync } from 'node:fs';
      let last = 0;
      try { for (;;) last = openSync('/dev/null'); } catch (error) { console.log(error.code, last); }`);
    const [code, last] = (await runInside(['limits'], open, { policy: { filesMax: 40 } })).output.trim().split(' ');
    expect({ code, last: Number(last) }).toEqual({ code: 'EMFILE', last: 39 });
    expect((await runInside(['limits'], shell('ulimit -c; ulimit -l'))).output).toBe('0\n0\n');
  });

  test('memory, while WebAssembly may set aside as much as it likes', async () => {
    const hog = script(`
      new WebAssembly.Memory({ initial: 1, maximum: 65536 });
      const kept = [];
      try { for (;;) kept.push(Buffer.alloc(16 * 1048576)); } catch (error) { console.log(error.message, kept.length * 16); }`);
    const { output } = await runInside(['limits'], hog);
    expect(output).toMatch(/^Array buffer allocation failed \d+\n$/);
    expect(Number(/\d+/.exec(output)?.[0])).toBeLessThan(policy.memoryBytes / 1_048_576 + 640);
  });

  test.skipIf(ownUser.skip)(`processes, counted by user${ownUser.why}`, async () => {
    const { output } = await runInside(['limits', 'uid'], shell('for i in $(seq 40); do sleep 300 & done; echo all'), { policy: { processesMax: 20 } });
    expect(output).toMatch(/fork/i);
    expect(output).not.toContain('all');
  });
});

const cgroup = needs('cgroup');
describe.skipIf(cgroup.skip)(`a cgroup${cgroup.why}`, () => {
  test('ends a plugin that uses more memory, and the reason is said', async () => {
    const { signal, reason } = await runInside(['cgroup'], shell('exec tail /dev/zero'), { policy: { memoryBytes: 33_554_432 } });
    expect({ signal, reason }).toEqual({ signal: 'SIGKILL', reason: 'It used more than the 32 MiB of memory that it has, and the kernel ended it.' });
  });

  test('counts the memory of all processes together', async () => {
    const three = shell('for i in 1 2 3; do head -c 16000000 /dev/zero | tail -c 16000000 | sleep 300 & done; wait');
    await using running = await startInside(['cgroup'], three, { policy: { memoryBytes: 33_554_432 } });
    await eventually(() => running.confinement.reasonOf({ code: null, signal: null })?.includes('32 MiB of memory') ?? false);
  });

  test('holds a fork bomb to its number, and all of it ends', async () => {
    await using running = await startInside(['cgroup'], shell('bomb() { bomb | bomb & }; bomb; echo lit; sleep 300'), { policy: { processesMax: 24 } });
    await eventually(() => running.confinement.reasonOf({ code: 1, signal: null })?.includes('more than the 24 processes') ?? false);
    expect(running.confinement.pids().length).toBeLessThanOrEqual(24);
    await running.confinement.endAll();
    expect(running.confinement.pids()).toEqual([]);
  });

  test('names and ends also those that left group and session', async () => {
    await using running = await startInside(['cgroup'], shell('setsid sh -c "echo \\$\\$; exec sleep 300" & exec sleep 300'));
    const escaped = await eventually(() => running.output().endsWith('\n') && Number(running.output()));
    expect(running.confinement.pids()).toContain(escaped);
    running.child.kill('SIGKILL');
    await running.ended;
    expect(running.confinement.pids()).toEqual([]);
    await eventually(() => !isThere(escaped));
  });

  test('that a killed node left behind is emptied and removed by the next one, and no other', async () => {
    const { means } = report;
    if (means.cgroup === null) throw new Error('there is no cgroup');
    const parents = means.cgroup.version === 1 ? [means.cgroup.memory, means.cgroup.pids] : [means.cgroup.unified];
    const gone = spawn('true', { stdio: 'ignore' });
    await once(gone, 'close');
    const forgotten = parents.map((parent) => join(parent, `vrsky-${gone.pid}-1`));
    const orphan = spawn('sleep', ['300'], { stdio: 'ignore' });
    await once(orphan, 'spawn');
    for (const folder of forgotten) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'cgroup.procs'), String(orphan.pid));
    }
    await using running = await startInside(['cgroup'], shell('exec sleep 300'));
    await eventually(() => running.confinement.pids().length > 0);
    await removeForgottenCgroups(means.cgroup);
    for (const folder of forgotten) expect(() => statSync(folder)).toThrow('ENOENT');
    expect(isThere(orphan.pid as number)).toBe(false);
    expect(running.confinement.pids().length).toBeGreaterThan(0);
  });
});

const landlock = needs('no-new-privs', 'landlock');
describe.skipIf(landlock.skip)(`Landlock${landlock.why}`, () => {
  const layers: SandboxLayer[] = ['no-new-privs', 'landlock'];

  test('keeps the node’s files from a plugin of the same user, and lets it work in its own folders', async () => {
    const dataDir = join(scratchDir('data'), 'connector');
    const work = shell(`
      cat "$KEYS" && echo "read the keys"
      ls "$(dirname "$KEYS")" && echo "listed the folder"
      (: >"$(dirname "$KEYS")/made") && echo "wrote beside them"
      cat /etc/shadow && echo "read the shadow file"
      mkdir "$TMPDIR/sub" && echo kept >"$TMPDIR/sub/file" && mv "$TMPDIR/sub/file" "$TMPDIR/file" && cat "$TMPDIR/file" && rm "$TMPDIR/file"
      echo lasting >"$DATA/file" && echo gone >/dev/null && cat "$DATA/file"`);
    const { output } = await runInside(layers, work, { policy: { dataDir }, env: { ...onNode(), DATA: dataDir } });
    expect(output.match(/Permission denied/g)).toHaveLength(4);
    expect(output.split('\n').filter((line) => !line.includes('denied'))).toEqual(['kept', 'lasting', '']);
  });

  test('lets Node.js start, open a socket in its folder and listen', async () => {
    const listen = script(`
      import { createServer } from 'node:net';
      for (const where of [process.env.TMPDIR + '/socket', { port: 0, host: '127.0.0.1' }])
        await new Promise((resolve) => { const server = createServer().listen(where, () => { console.log('listening'); server.close(resolve); }); });`);
    expect((await runInside(layers, listen)).output).toBe('listening\nlistening\n');
  });
});

describe('`kill -9` of the node', () => {
  const parentDeath = needs('parent-death');
  test.skipIf(parentDeath.skip)(`is noticed by a plugin that was about to start${parentDeath.why}`, () => {
    const { prefix } = planSandbox(only('parent-death'), policy, nowhere);
    const started = (...words: string[]) => spawnSync('/bin/sh', ['-c', '"$@"; echo "$?"', 'parent', ...words], { encoding: 'utf8' }).stdout;
    expect(spawnSync(prefix[0] as string, [...prefix.slice(1), 'echo', 'started'], { encoding: 'utf8' }).stdout).toBe('started\n');
    expect(started(...prefix, 'echo', 'started')).toBe('126\n'); // its parent is not the one that made the plan
  });

  const combinations: SandboxLayer[][] = [
    ['parent-death'],
    ['parent-death', 'uid'],
    ['parent-death', ...namespaces],
    ['parent-death', 'limits', 'cgroup', 'seccomp', ...namespaces],
  ];
  for (const layers of combinations) {
    const { skip, why } = needs(...layers);
    test.skipIf(skip)(`ends what it started inside of ${layers.join(', ')}${why}`, async () => {
      const host = spawn(process.execPath, [join(import.meta.dirname, 'fixtures', 'host.ts'), ...layers], {
        env: plainEnv(),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = await once(createInterface(host.stdout), 'line');
      const pids = JSON.parse(line) as number[];
      // What the plugin itself started is no child of the node: the kernel ends it with a pid namespace only, else the next node does.
      const held = layers.includes('namespaces') ? pids : pids.slice(0, 1);
      expect(held.every(isThere)).toBe(true);
      host.kill('SIGKILL');
      try {
        await eventually(() => !held.some(isThere), { timeoutMs: 5_000, what: 'the plugin to end' });
      } finally {
        for (const pid of pids) if (isThere(pid)) process.kill(pid, 'SIGKILL');
      }
    });
  }
});

test.skipIf(process.platform !== 'linux')('a descriptor that the node was started with is not handed on', async () => {
  const secret = openSync(keyFile, 'r');
  const read = '["-c", "cat /proc/self/fd/40"]';
  const node = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { spawnSync } from 'node:child_process';
       import { runInside } from ${JSON.stringify(join(import.meta.dirname, 'inside.test-support.ts'))};
       const plain = spawnSync('/bin/sh', ${read}, { encoding: 'utf8' }).stdout;
       const { output } = await runInside([], ['/bin/sh', ...${read}]);
       process.stdout.write(JSON.stringify({ plain: plain.includes('keys'), inside: output.includes('keys') }));`,
    ],
    { env: plainEnv(), stdio: ['ignore', 'pipe', 'inherit', ...Array(37).fill('ignore'), secret] },
  );
  let output = '';
  node.stdout?.on('data', (text) => (output += String(text)));
  await once(node, 'close');
  closeSync(secret);
  expect(JSON.parse(output)).toEqual({ plain: true, inside: false });
});

describe('a minimum', () => {
  test('that the machine does not reach stops the plugin before anything is made', async () => {
    const demanding = { report: only('limits'), policy: { ...policy, minimum: ['limits', 'landlock', 'uid'] as SandboxLayer[] } };
    const scratch = scratchDir('never');
    const before = statSync(scratch);
    await expect(confine(demanding, { executable: '/bin/sh', scratchDir: scratch })).rejects.toMatchObject({
      code: 'PLUGIN.SANDBOX',
      details: { missing: ['uid', 'landlock'] },
      message: expect.stringContaining('left out by the test'),
      publicMessage: expect.stringContaining('(uid, landlock)'),
    });
    expect(statSync(scratch).uid).toBe(before.uid);
  });

  test('a plugin without a network is not started where nothing can take it away', async () => {
    await expect(runInside(['limits'], shell('true'), { policy: { network: 'none' } })).rejects.toMatchObject({ details: { missing: ['namespaces'] } });
  });
});
