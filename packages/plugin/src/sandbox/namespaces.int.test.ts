import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { plainEnv } from '@vrsky/testkit/config';
import { eventually } from '@vrsky/testkit/eventually';
import { findProcess } from '@vrsky/testkit/process-record';
import { scratchDir } from '@vrsky/testkit/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSyscallProgram } from './elf.test-support.ts';
import { namespaces, needs, runInside, script, shell, startInside } from './inside.test-support.ts';
import { processTree } from './processes.ts';
import { inspectedCalls, newestCall, refusedCalls, unknownCalls } from './syscalls.ts';

const supported = needs('namespaces');
describe.skipIf(supported.skip)(`namespaces${supported.why}`, () => {
  const nodeDir = scratchDir('node');
  const bundle = join(nodeDir, 'bundle.json');
  const peerSocket = join(nodeDir, 'peer.sock');
  const servers: Server[] = [];
  let port: number;

  beforeAll(async () => {
    // Open to everybody: only the view of the files can hide it.
    writeFileSync(bundle, 'a tenant’s configuration', { mode: 0o644 });
    const listen = async (options: ListenOptions): Promise<Server> => {
      const server = createServer((socket) => void socket.end('let in')).listen(options);
      servers.push(server);
      await once(server, 'listening');
      return server;
    };
    await listen({ path: peerSocket, readableAll: true, writableAll: true });
    await listen({ path: `\0vrsky-test-${process.pid}` });
    port = ((await listen({ host: '127.0.0.1', port: 0 })).address() as { port: number }).port;
  });
  afterAll(() => void servers.map((server) => server.close()));

  test('a plugin sees its own processes and no others, and cannot name the node', async () => {
    const victim = spawn('sleep', ['300'], { stdio: 'ignore' });
    await once(victim, 'spawn');
    const look = shell('ls /proc | grep -c "^[0-9]"; ls -d "/proc/$NODE"; kill -9 "$VICTIM"; kill -USR1 "$NODE"');
    const { output } = await runInside(namespaces, look, { env: { NODE: String(process.pid), VICTIM: String(victim.pid) } });
    expect(Number(output.split('\n')[0])).toBeLessThanOrEqual(6);
    expect(output).toContain(`'/proc/${process.pid}': No such file`);
    expect(output.match(/No such process/g)).toHaveLength(2);
    expect(findProcess(victim.pid as number)).not.toBeNull();
    victim.kill('SIGKILL');
  });

  test('it reads no file of the node, not even one that is open to everybody', async () => {
    const read = shell('cat "$BUNDLE"; ls "$DIR" /root /home /var /run /tmp /sys');
    const { output } = await runInside(namespaces, read, { env: { BUNDLE: bundle, DIR: nodeDir } });
    expect(output).not.toContain('configuration');
    expect(output).toContain(`${bundle}: No such file`);
    expect((await runInside([], shell('cat "$BUNDLE"'), { env: { BUNDLE: bundle } })).output).toBe('a tenant’s configuration');
  });

  test('it writes in its scratch and data folders and nowhere else', async () => {
    const dataDir = join(scratchDir('data'), 'connector');
    const readOnly = scratchDir('given');
    chmodSync(readOnly, 0o755);
    writeFileSync(join(readOnly, 'file'), 'kept');
    const places = ['/', '/tmp', '/usr', '/usr/bin', '/etc', '/dev', '/dev/shm', '/proc', readOnly, process.execPath, join(readOnly, 'file')];
    const write = shell(
      `for place in ${places.join(' ')}; do (: >"$place/x") 2>/dev/null && echo "$place"; (: >>"$place") 2>/dev/null && echo "$place"; done
       echo temporary >"$TMPDIR/x" && echo lasting >"$DATA/x" && cat "$TMPDIR/x"`,
    );
    const { output } = await runInside(namespaces, write, { policy: { dataDir, readOnly: [readOnly] }, env: { DATA: dataDir } });
    expect(output).toBe('temporary\n');
    expect(readFileSync(join(dataDir, 'x'), 'utf8')).toBe('lasting\n');
    expect(readdirSync(readOnly)).toEqual(['file']);
  });

  test('it cannot connect to another plugin’s socket', async () => {
    const connect = script(connectTo('{ path: process.env.PEER }'));
    expect((await runInside([], connect, { env: { PEER: peerSocket } })).output).toBe('let in\n');
    expect((await runInside(namespaces, connect, { env: { PEER: peerSocket } })).output).toBe('ENOENT\n');
  });

  test('without a network it reaches neither the node’s ports nor abstract sockets; with the node’s it does', async () => {
    const connect = script(`${connectTo("{ host: '127.0.0.1', port: process.env.PORT }")}\n${connectTo('{ path: "\\0" + process.env.ABSTRACT }')}`);
    const env = { PORT: String(port), ABSTRACT: `vrsky-test-${process.pid}` };
    expect((await runInside(namespaces, connect, { env, policy: { network: 'none' } })).output).toBe('ECONNREFUSED\nECONNREFUSED\n');
    expect((await runInside(namespaces, connect, { env })).output).toBe('let in\nlet in\n');
  });

  const inOwnNetwork = ownNetwork();
  test.skipIf(inOwnNetwork === null)(
    `without a network it does not reach a cloud’s metadata service${inOwnNetwork === null ? ' (skipped: no network namespace can be made, or there is no ip)' : ''}`,
    async () => {
      const [command, ...args] = inOwnNetwork as [string, ...string[]];
      const { stdout } = await promisify(execFile)(command, [...args, process.execPath, join(import.meta.dirname, 'fixtures', 'metadata-network.ts')], {
        env: plainEnv(),
      });
      expect(JSON.parse(stdout)).toEqual({ withoutSandbox: 'the machine’s credentials', direct: 'the machine’s credentials', none: 'ENETUNREACH' });
    },
  );

  test('all of it ends with the process that was started, however far it went', async () => {
    await using running = await startInside(namespaces, shell('setsid sh -c "setsid sleep 300 & sleep 300" & sleep 300'));
    const pids = await eventually(() => {
      const tree = processTree(running.child.pid as number);
      return tree.length >= 6 && tree;
    });
    running.child.kill('SIGKILL');
    await eventually(() => !pids.some((pid) => findProcess(pid) !== null));
  });
});

const filter = needs('namespaces', 'seccomp');
const foreign = process.arch === 'x64' ? '' : ' (skipped: the attacking programs are made for x86-64)';
describe.skipIf(filter.skip || foreign !== '')(`seccomp${filter.why}${foreign}`, () => {
  const EPERM = 1;
  const ENOSYS = 38;
  const SIGSYS = 128 + 31;
  const SIGCHLD = 17;

  /** The status of each program, by its name. */
  async function run(calls: Record<string, Parameters<typeof writeSyscallProgram>[1]>, withFilter = true): Promise<Record<string, number>> {
    const folder = scratchDir('calls');
    chmodSync(folder, 0o755);
    for (const [name, call] of Object.entries(calls)) writeSyscallProgram(join(folder, name), call);
    const each = shell(`cd "${folder}" && for call in *; do "./$call"; echo "$call $?" >&2; done`);
    const layers = withFilter ? ([...namespaces, 'seccomp'] as const) : namespaces;
    const { output } = await runInside(layers, each, { policy: { readOnly: [folder] } });
    return Object.fromEntries([...output.matchAll(/^(\w+) (\d+)$/gm)].map(([, name, status]) => [name, Number(status)]));
  }
  const numbers = (calls: Record<string, readonly [number | null, number | null]>): Record<string, { number: number }> =>
    Object.fromEntries(Object.entries(calls).map(([name, [x64]]) => [name, { number: x64 as number }]));
  const each = (names: object, status: number): Record<string, number> => Object.fromEntries(Object.keys(names).map((name) => [name, status]));

  test('refuses every call of the list, whoever makes it', async () => {
    expect(await run(numbers(refusedCalls))).toEqual(each(refusedCalls, EPERM));
    expect(await run(numbers(unknownCalls))).toEqual(each(unknownCalls, ENOSYS));
    // And it is the filter that does: the kernel itself lets these pass or complains of their arguments.
    const { unshare, userfaultfd, ptrace } = numbers(refusedCalls);
    const without = await run(
      { unshare: unshare as { number: number }, userfaultfd: userfaultfd as { number: number }, ptrace: ptrace as { number: number } },
      false,
    );
    expect(without).toMatchObject({ unshare: 0, ptrace: 0 });
  });

  test('calls that are newer than the list do not exist', async () => {
    expect(await run({ next: { number: newestCall + 1 }, far: { number: 5_000 } })).toEqual({ next: ENOSYS, far: ENOSYS });
  });

  test('ends who comes by the gate of 32-bit programs or by x32', async () => {
    const GETPID = { x32: 0x4000_0000 + 39, int80: 20 };
    expect(await run({ x32: { number: GETPID.x32 }, int80: { number: GETPID.int80, gate: 'int80' } })).toEqual({ x32: SIGSYS, int80: SIGSYS });
  });

  test('opens sockets of the internet and of files, and no others', async () => {
    const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, bluetooth: 31, alg: 38, vsock: 40, xdp: 44 };
    const STREAM = 1;
    const status = await run(
      Object.fromEntries(Object.entries(families).map(([name, first]) => [name, { number: inspectedCalls.socket[0], first, second: STREAM }])),
    );
    const { unix, inet, inet6, ...others } = status;
    for (const opened of [unix, inet, inet6]) expect(opened).toBeGreaterThan(200); // a descriptor, not an error
    expect(others).toEqual(each(others, EPERM));
    expect(Object.keys(others)).toHaveLength(6);
  });

  test('makes no namespace by clone, types nothing into a terminal', async () => {
    const clone = inspectedCalls.clone[0];
    const ioctl = inspectedCalls.ioctl[0];
    const namespaceFlags = { user: 0x1000_0000, mount: 0x2_0000, pid: 0x2000_0000, net: 0x4000_0000, ipc: 0x800_0000, uts: 0x400_0000, cgroup: 0x200_0000 };
    const made = await run(Object.fromEntries(Object.entries(namespaceFlags).map(([name, flag]) => [name, { number: clone, first: flag | SIGCHLD }])));
    expect(made).toEqual(each(namespaceFlags, EPERM));
    expect(await run({ sticky: { number: ioctl, second: 0x5412 }, other: { number: ioctl, second: 0x5401 } })).toEqual({ sticky: EPERM, other: 25 });
  });

  test('does not stand in the way of what a runtime does: threads, files, a server and a child', async () => {
    const work = script(`
      import { execFileSync } from 'node:child_process';
      import { createServer } from 'node:http';
      import { once } from 'node:events';
      import { writeFileSync, readFileSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      const server = createServer((_, response) => response.end('served')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const answer = await (await fetch('http://127.0.0.1:' + server.address().port)).text();
      server.close();
      writeFileSync(process.env.TMPDIR + '/file', 'written');
      const [message] = await once(new Worker(new URL('data:text/javascript,import { parentPort } from "node:worker_threads"; parentPort.postMessage("threaded")')), 'message');
      console.log(answer, readFileSync(process.env.TMPDIR + '/file', 'utf8'), message, execFileSync('/bin/echo', ['spawned']).toString());`);
    const { output } = await runInside([...namespaces, 'seccomp'], work, { policy: { network: 'none' } });
    expect(output.trim()).toBe('served written threaded spawned');
  });
});

/** Words for a Node script: connects, prints what the other side says or why it was not let in. */
function connectTo(options: string): string {
  return `
    await new Promise(async (resolve) => {
      const { connect } = await import('node:net');
      const socket = connect(${options});
      socket.on('data', (text) => console.log(String(text))).on('error', (error) => console.log(error.code)).on('close', resolve);
    });`;
}

/** Words before a command that run it in a network of its own, with the metadata address on its loopback; null where that cannot be. */
function ownNetwork(): string[] | null {
  const words = [
    'unshare',
    ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
    '--net',
    '--',
    '/bin/sh',
    '-c',
    'ip link set lo up && ip address add 169.254.169.254/32 dev lo && exec "$@"',
    'in',
  ];
  return process.platform === 'linux' && spawnSync(words[0] as string, [...words.slice(1), 'true']).status === 0 ? words : null;
}
