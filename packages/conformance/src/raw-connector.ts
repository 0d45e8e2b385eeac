import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { certToPem, createIdentity, type Identity } from '@vrsky/plugin/certificate';
import { connectorCookie, connectorVersions, type Handshake, parseHandshake, pluginEnv } from '@vrsky/plugin/handshake';
import { channelOptions } from '@vrsky/plugin/rpc';
import { Failed, type Session, until } from './session.ts';

/** A process of the connector as it is, with nobody who understands it. */
export interface RawConnector extends AsyncDisposable {
  readonly identity: Identity;
  /** -1 when it never began. */
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  hasEnded(): boolean;
  exit(): { code: number | null; signal: NodeJS.Signals | null };
  /** Throws `Failed` with what came instead. */
  handshake(): Promise<Handshake>;
  handshakeMs(): number;
}

export async function startRaw(session: Session, more: Record<string, string>): Promise<RawConnector> {
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
    pid: child.pid ?? -1,
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

export function quote(text: string): string {
  const trimmed = text.trim();
  return JSON.stringify(trimmed.length > 200 ? `${trimmed.slice(0, 200)}…` : trimmed);
}

/** A connection for calls to a connector, under credentials that need not be its host's. */
export function openClient(handshake: Handshake, credential: ReturnType<typeof credentials.createSsl>): Client {
  return new Client(handshake.target, credential, {
    ...channelOptions,
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.default_authority': 'localhost',
  });
}

/** The credentials of the host that started it. */
export function hostCredentials(handshake: Handshake, { keyPem, certPem }: Identity): ReturnType<typeof credentials.createSsl> {
  return credentials.createSsl(Buffer.from(certToPem(handshake.serverCert)), Buffer.from(keyPem), Buffer.from(certPem));
}
