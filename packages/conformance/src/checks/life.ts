import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentity } from '@vrsky/plugin/certificate';
import { createConnectorClient } from '@vrsky/plugin/connector-client';
import { callUnary } from '@vrsky/plugin/rpc';
import { GRPCController } from '@vrsky/proto/gen/goplugin/grpc_controller_pb';
import { Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { isAlive, listFamily, readSurface } from '../processes.ts';
import { endGroup, hostCredentials, hostEnv, openClient, startRaw } from '../raw-connector.ts';
import { answered, type Check, Failed, Skipped, until } from '../session.ts';
import { message } from './send.ts';

const SHUTDOWN_MS = 2_000;
const HANDSHAKE = /^\d+\|.*\n/;

export const lifeChecks: readonly Check[] = [
  {
    name: 'health',
    title: 'It reports that it serves',
    async run(session) {
      await answered('The health check', (await session.plugin()).ping(session.limits.callMs));
      return undefined;
    },
  },
];

/** These come after all others: they look at what those left, and end the connector. */
export const lastChecks: readonly Check[] = [
  {
    name: 'secrets.process',
    title: 'No secret is in the environment or the arguments of a process',
    async run(session) {
      const { pid } = await session.plugin();
      const connections = await session.connections();
      if (connections.length === 0) throw new Skipped('No good settings are known, so no secret was given: give them with --settings.');
      await session.configure(connections);
      const family = listFamily(pid);
      if (family === null) throw new Skipped('This system has no /proc.');
      const values = [session.canary, ...Object.values(session.options.secrets ?? {})];
      for (const member of family) {
        const surface = readSurface(member);
        if (values.some((value) => surface.includes(value)))
          throw new Failed(
            `A secret that Configure gave is in the environment or the arguments of process ${member}: everybody on the machine can read it there.`,
          );
      }
      return undefined;
    },
  },
  {
    name: 'secrets.log',
    title: 'No secret is in what it writes',
    async run(session) {
      if (!session.gaveSecrets()) throw new Skipped('No connection was applied, so no secret was given.');
      const values = [session.canary, ...Object.values(session.options.secrets ?? {})];
      const forms = values.flatMap((value) => [
        value,
        Buffer.from(value).toString('hex'),
        Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1),
        String([...Buffer.from(value)]),
      ]);
      const line = session.logs.find((record) => forms.some((form) => JSON.stringify(record).includes(form)));
      if (line !== undefined)
        throw new Failed(
          `A secret that Configure gave is in its ${line.module === 'stdout' ? 'output' : 'log'}, at level ${line.level}: log names, never values.`,
        );
      return `${session.logs.length.toLocaleString('en')} lines`;
    },
  },
  {
    name: 'drain',
    title: 'Drain ends in time, and what comes after it is not left without a word',
    async run(session) {
      const client = await session.client();
      const connections = await session.connections();
      await session.configure(connections);
      await answered('Drain', client.drain(session.limits.callMs));
      if (!connections.some(({ role }) => role === Role.DESTINATION)) return undefined;
      let said = false;
      const stream = client.send(() => {
        said = true;
      });
      void stream.ended.then(() => {
        said = true;
      });
      stream.write([message(1)]);
      const answeredInTime = await until(() => said, session.limits.callMs);
      stream.cancel();
      if (!answeredInTime) throw new Failed('A message after Drain has neither a result nor an end of the stream: refuse it as retryable, or deliver it.');
      return undefined;
    },
  },
  {
    name: 'shutdown',
    title: 'Asked to end it does, with status 0, and leaves nothing behind',
    async run(session) {
      const connections = await session.connections();
      await session.close();
      // A node cleans up behind a connector. Here nobody does, so that what it leaves can be seen.
      await using started = await startRaw(session, {});
      const handshake = await started.handshake();
      const client = openClient(handshake, hostCredentials(handshake, started.identity));
      const socket = handshake.target.replace(/^unix:/, '');
      const leftBehind = (family: number[]): number[] =>
        [...new Set([...family, ...(listFamily(started.pid) ?? [])])].filter((pid) => pid !== started.pid && isAlive(pid));
      let family: number[] = [];
      try {
        await answered('Configure', createConnectorClient(client, session.limits.callMs).configure({ generation: 1n, connections }));
        family = listFamily(started.pid) ?? [];
        await callUnary(client, GRPCController.method.shutdown, {}, SHUTDOWN_MS).catch(() => undefined); // one that dies while it answers has done it
        if (!(await until(() => !isAlive(started.pid), SHUTDOWN_MS)))
          throw new Failed(`It still runs ${SHUTDOWN_MS / 1_000} s after GRPCController.Shutdown: a node kills it then, with whatever it has in hand.`);
        // Those that it has ended take a moment, too.
        await until(() => leftBehind(family).length === 0, session.limits.quietMs);
        const left = leftBehind(family);
        if (left.length > 0)
          throw new Failed(
            `It leaves ${left.length === 1 ? 'a process' : `${left.length} processes`} behind (pid ${left.join(', ')}): end your children first.`,
          );
        await until(started.hasEnded, session.limits.callMs);
        const { code, signal } = started.exit();
        if (code !== 0) throw new Failed(`It ends with ${signal ?? `status ${code}`}: status 0 says that it ended as asked.`);
        if (socket.startsWith('/') && existsSync(socket)) throw new Failed('Its socket is still there: remove it when you end.');
        return undefined;
      } finally {
        client.close();
        // Children of a process that we started; nobody else will end them.
        for (const pid of leftBehind(family)) process.kill(pid, 'SIGKILL');
      }
    },
  },
  {
    name: 'orphan',
    title: 'It ends when the host that started it is killed',
    async run(session) {
      const { command, args = [] } = session.options;
      const socketDir = await mkdtemp(join(tmpdir(), 'vrsky-c-'));
      // A host that does nothing but start it and be killed, without the kernel's help that nodes on Linux have.
      const host = spawn('/bin/sh', ['-c', '"$@" & echo "pid $!" >&2; wait', 'sh', command, ...args], {
        env: hostEnv(session, socketDir, createIdentity()),
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      let stdout = '';
      let stderr = '';
      let ended = false;
      host.once('close', () => {
        ended = true;
      });
      host.stdout.on('data', (chunk) => {
        stdout += String(chunk);
      });
      host.stderr.on('data', (chunk) => {
        stderr += String(chunk);
      });
      try {
        await until(() => ended || HANDSHAKE.test(stdout), session.limits.startMs);
        if (!HANDSHAKE.test(stdout)) throw new Failed('It does not start.');
        const pid = Number(/^pid (\d+)$/m.exec(stderr)?.[1]);
        host.kill('SIGKILL');
        if (!(await until(() => !isAlive(pid), session.limits.orphanMs)))
          throw new Failed(
            `Its host was killed, and it still runs after ${session.limits.orphanMs / 1_000} s: look from time to time whether the parent process is still the same.`,
          );
        return undefined;
      } finally {
        endGroup(host);
        await rm(socketDir, { recursive: true, force: true });
      }
    },
  },
];
