import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { certToPem, createIdentity, type Identity } from '@vrsky/plugin/certificate';
import { connectorCookie, connectorVersions, type Handshake, parseHandshake, pluginEnv } from '@vrsky/plugin/handshake';
import { callUnary, channelOptions } from '@vrsky/plugin/rpc';
import { Health } from '@vrsky/proto/gen/goplugin/health_pb';
import { type Check, Failed, type Session, until } from '../session.ts';

export const handshakeChecks: readonly Check[] = [
  {
    name: 'handshake.cookie',
    title: 'Started by hand it explains itself and fails',
    async run(session) {
      await using started = await startRaw(session, { [connectorCookie.key]: '' });
      if (!(await until(started.hasEnded, session.limits.startMs)))
        throw new Failed('Without the magic cookie it goes on running: say on stderr what it is, and exit with status 1.');
      const { code, signal } = started.exit();
      if (started.stdout() !== '') throw new Failed(`Without the magic cookie it writes to stdout: ${quote(started.stdout())}. A person reads stderr.`);
      if (code === 0 || signal !== null)
        throw new Failed(`Without the magic cookie it ends with ${signal ?? 'status 0'}: a script would take that for success. Exit with status 1.`);
      if (started.stderr().trim() === '') throw new Failed('Without the magic cookie it ends without a word: say on stderr what it is.');
      return undefined;
    },
  },
  {
    name: 'handshake.line',
    title: 'The first line on stdout is the handshake, in time',
    async run(session) {
      await using started = await startRaw(session, {});
      await started.handshake();
      return `after ${Math.round(started.handshakeMs())} ms`;
    },
  },
  {
    name: 'handshake.version',
    title: 'To a host of another version it does not claim that version',
    async run(session) {
      await using started = await startRaw(session, { [pluginEnv.protocolVersions]: String(STRANGE_VERSION) });
      const spoken = await until(() => started.hasEnded() || started.stdout().includes('\n'), session.limits.startMs);
      if (!spoken) throw new Failed('To a host of another version it says nothing: answer with a version of your own, so that the host can say what is wrong.');
      if (started.hasEnded() && started.stdout() === '') {
        if (started.exit().code === 0) throw new Failed('To a host of another version it ends with status 0.');
        return undefined;
      }
      const version = started.stdout().split('|')[1];
      if (!connectorVersions.map(String).includes(version ?? ''))
        throw new Failed(`To a host that speaks only version ${STRANGE_VERSION} it answers ${quote(started.stdout())}: name a version of your own.`);
      return undefined;
    },
  },
  {
    name: 'handshake.mtls',
    title: 'Only the host that started it gets in',
    async run(session) {
      await using started = await startRaw(session, {});
      const handshake = await started.handshake();
      const server = Buffer.from(certToPem(handshake.serverCert));
      const stranger = createIdentity();
      if (!(await answers(handshake, credentials.createSsl(server, Buffer.from(started.identity.keyPem), Buffer.from(started.identity.certPem)))))
        throw new Failed('It does not answer its own host over mutual TLS, with the certificate of PLUGIN_CLIENT_CERT.');
      const others = {
        'without a certificate': credentials.createSsl(server),
        'with the certificate of a stranger': credentials.createSsl(server, Buffer.from(stranger.keyPem), Buffer.from(stranger.certPem)),
        'without TLS': credentials.createInsecure(),
      };
      for (const [how, credential] of Object.entries(others))
        if (await answers(handshake, credential)) throw new Failed(`It answers a client ${how}: require the certificate of PLUGIN_CLIENT_CERT and no other.`);
      return undefined;
    },
  },
];

const STRANGE_VERSION = 999;
const STRANGER_MS = 3_000;

async function answers(handshake: Handshake, credential: ReturnType<typeof credentials.createSsl>): Promise<boolean> {
  const client = new Client(handshake.target, credential, {
    ...channelOptions,
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.default_authority': 'localhost',
  });
  try {
    await callUnary(client, Health.method.check, { service: 'plugin' }, STRANGER_MS);
    return true;
  } catch {
    return false; // what it says to those it does not let in is its own affair
  } finally {
    client.close();
  }
}

/** A process of the connector as it is, with nobody who understands it. */
interface RawConnector extends AsyncDisposable {
  readonly identity: Identity;
  stdout(): string;
  stderr(): string;
  hasEnded(): boolean;
  exit(): { code: number | null; signal: NodeJS.Signals | null };
  /** Throws `Failed` with what came instead. */
  handshake(): Promise<Handshake>;
  handshakeMs(): number;
}

async function startRaw(session: Session, more: Record<string, string>): Promise<RawConnector> {
  const { command, args = [] } = session.options;
  const socketDir = await mkdtemp(join(tmpdir(), 'vrsky-c-'));
  const identity = createIdentity();
  const startedMs = performance.now();
  const child = spawn(command, args, { env: { ...hostEnv(session, socketDir, identity), ...more }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const text = { stdout: '', stderr: '' };
  let saidMs = 0;
  child.stdout.on('data', (chunk) => {
    if (saidMs === 0) saidMs = performance.now();
    text.stdout = (text.stdout + String(chunk)).slice(0, TEXT_CHARS_MAX);
  });
  child.stderr.on('data', (chunk) => {
    text.stderr = (text.stderr + String(chunk)).slice(0, TEXT_CHARS_MAX);
  });
  let exit: { code: number | null; signal: NodeJS.Signals | null } | null = null;
  let problem: Error | null = null;
  child.once('close', (code, signal) => {
    exit = { code, signal };
  });
  child.once('error', (error) => {
    problem = error;
  });
  return {
    identity,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    hasEnded: () => exit !== null || problem !== null,
    exit: () => {
      if (problem !== null) throw new Failed(`The system does not start it: ${problem.message}.`);
      return exit ?? { code: null, signal: null };
    },
    async handshake() {
      const { startMs } = session.limits;
      await until(() => exit !== null || problem !== null || text.stdout.includes('\n'), startMs);
      if (problem !== null) throw new Failed(`The system does not start it: ${problem.message}.`);
      const [line, ...rest] = text.stdout.split('\n');
      if (rest.length === 0) {
        if (exit !== null) throw new Failed(`It ended before its handshake (${exit.signal ?? `status ${exit.code}`}): ${quote(text.stderr || text.stdout)}.`);
        throw new Failed(`There is no handshake within ${startMs} ms: serve first, and do what takes long afterwards.`);
      }
      try {
        return parseHandshake(line as string, { versions: connectorVersions, socketDir });
      } catch (error) {
        throw new Failed(`Its first line on stdout is no handshake: ${(error as Error).message}. Write nothing else there before it.`);
      }
    },
    handshakeMs: () => saidMs - startedMs,
    async [Symbol.asyncDispose]() {
      endGroup(child);
      await until(() => exit !== null || problem !== null, session.limits.callMs);
      await rm(socketDir, { recursive: true, force: true });
    },
  };
}

const TEXT_CHARS_MAX = 65_536;

/** What a host tells a connector that it starts. */
export function hostEnv(session: Session, socketDir: string, identity: Identity): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: '/nonexistent',
    ...session.options.env,
    TMPDIR: socketDir,
    [connectorCookie.key]: connectorCookie.value,
    [pluginEnv.protocolVersions]: connectorVersions.join(','),
    [pluginEnv.minPort]: '10000',
    [pluginEnv.maxPort]: '25000',
    [pluginEnv.clientCert]: identity.certPem,
    [pluginEnv.socketDir]: socketDir,
  };
}

/** SIGKILL to a process that leads a group, and to the group. */
export function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // gone already
  }
}

function quote(text: string): string {
  const trimmed = text.trim();
  return JSON.stringify(trimmed.length > 200 ? `${trimmed.slice(0, 200)}…` : trimmed);
}
