import { lstat } from 'node:fs/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import { GRPCController } from '@vrsky/proto/gen/goplugin/grpc_controller_pb';
import { GRPCStdio, StdioData_Channel, StdioDataSchema } from '@vrsky/proto/gen/goplugin/grpc_stdio_pb';
import { Health, HealthCheckResponse_ServingStatus } from '@vrsky/proto/gen/goplugin/health_pb';
import { toBuffer } from '@vrsky/proto/wire';
import { type CallRecorder, connectorCalls, createCallCounters, createCallGate } from './call-gate.ts';
import { certToPem, createIdentity, type Identity } from './certificate.ts';
import { refused } from './handshake.ts';
import type { Exit, LaunchedPlugin, LaunchOptions } from './launch.ts';
import { launchExplained } from './launch-explained.ts';
import { createPluginLogReader, type PluginLogRecord } from './plugin-log.ts';
import { callUnary, channelOptions, isEndOfStream, methodPath } from './rpc.ts';
import type { SandboxLayer } from './sandbox/layers.ts';

/** A running plugin, as its host sees it. */
export interface PluginHandle {
  /** Of the process that we started: see `LaunchedPlugin`. */
  readonly pid: number;
  /** What stands between the plugin and its node. */
  readonly layers: readonly SandboxLayer[];
  /** The application version both sides speak. */
  readonly version: number;
  readonly handshakeMs: number;
  /** For the application's own calls. A method that is not allowed throws AppError `PLUGIN.NOT_ALLOWED` before anything is sent. */
  readonly client: Client;
  /** From now on only these methods of those allowed so far, by their paths; see `connectorCalls`. Nothing can be added. */
  narrow(methods: ReadonlySet<string>): void;
  /** Resolves when the process is gone, however that came; never rejects. */
  readonly exited: Promise<Exit>;
  /** The last of what it wrote on stderr. A stranger's text: for the operator's log only. */
  stderrTail(): string;
  /** Every process of it at this moment. */
  pids(): number[];
  /** See `LaunchedPlugin`. */
  takeDataDir(): Promise<void>;
  /** Rejects when it does not answer in time that it serves. */
  ping(deadlineMs: number): Promise<void>;
  /** Asks it to end, and ends it when it does not: at most 4 s, also for a plugin that is stopped or deaf. */
  close(): Promise<Exit>;
  /** SIGKILL, for a plugin that is past asking. */
  kill(): Promise<Exit>;
}

export interface OpenOptions extends Omit<LaunchOptions, 'identity'> {
  /** From the handshake to the first sign of health; 10 s. */
  readyMs?: number;
  /** How long the answer to Shutdown may take; 2 s. */
  shutdownMs?: number;
  /** How long the process may take to end after that; 2 s. */
  exitMs?: number;
  /** Paths of all methods that may be called, ours included: health, output and shutdown. Those of the connector contract when left out. */
  allow?: ReadonlySet<string>;
  /** Keeps count of every call. */
  calls?: CallRecorder;
}

/** What a plugin says of itself, in its handshake or asked for its health, is no trouble with the connection. */
const SAID_BY_ITSELF = new Set(['PLUGIN.HANDSHAKE', 'PLUGIN.UNHEALTHY']);
/** The service name under which a plugin reports its health. */
const HEALTH_SERVICE = 'plugin';
const SHUTDOWN_MS = 2_000;
const EXIT_MS = 2_000;
const READY_MS = 10_000;

/**
 * Launches a plugin and connects to it. Throws the errors of `launchPlugin`, or AppError `PLUGIN.COOKIE` when the program is a plugin
 * of another application, `PLUGIN.UNHEALTHY` when it says that it cannot work, `PLUGIN.CONNECT` when it does not take our connection.
 */
export async function openPlugin(options: OpenOptions): Promise<PluginHandle> {
  const identity = createIdentity();
  const launched = await launchExplained({ ...options, identity });
  try {
    await checkSocket(launched.handshake.target);
    return await connect(launched, identity, options);
  } catch (cause) {
    const { reason } = await launched.kill();
    if (isAppError(cause) && SAID_BY_ITSELF.has(cause.code)) throw cause;
    throw new AppError({
      code: 'PLUGIN.CONNECT',
      kind: 'unavailable',
      source: 'plugin',
      message: `the plugin does not accept our connection${reason === undefined ? '' : ` (${reason})`}`,
      publicMessage: 'The connector started, but does not let the node connect to it. It is tried again; if this stays, tell the platform’s operator.',
      details: { stderr: launched.stderrTail() },
      cause,
    });
  }
}

/** A link in the place of the socket would take our connection to somebody else's. */
async function checkSocket(target: string): Promise<void> {
  if (!target.startsWith('unix:')) return;
  if (!(await lstat(target.slice('unix:'.length))).isSocket()) throw refused('what it named is no socket');
}

async function connect(launched: LaunchedPlugin, identity: Identity, options: OpenOptions): Promise<PluginHandle> {
  const { handshake, exited } = launched;
  const gate = createCallGate(options.allow ?? connectorCalls(), options.calls ?? createCallCounters());
  const { onLog, readyMs = READY_MS, shutdownMs = SHUTDOWN_MS, exitMs = EXIT_MS } = options;
  const client = new Client(handshake.target, mutualTls(handshake.serverCert, identity), {
    ...channelOptions,
    'grpc.ssl_target_name_override': 'localhost',
    'grpc.default_authority': 'localhost',
    channelFactoryOverride: gate.openChannel,
  });
  const ping = async (deadlineMs: number): Promise<void> => {
    const { status } = await callUnary(client, Health.method.check, { service: HEALTH_SERVICE }, deadlineMs);
    if (status !== HealthCheckResponse_ServingStatus.SERVING)
      throw new AppError({
        code: 'PLUGIN.UNHEALTHY',
        kind: 'unavailable',
        source: 'plugin',
        message: `the plugin reports health ${status}`,
        publicMessage: 'The connector says that it cannot work now.',
      });
  };
  const kill = (): Promise<Exit> => {
    client.close();
    return launched.kill();
  };
  try {
    await ping(readyMs);
    readStdio(client, onLog);
  } catch (error) {
    client.close();
    throw error;
  }
  return {
    pid: launched.pid,
    layers: launched.layers,
    version: handshake.version,
    handshakeMs: launched.handshakeMs,
    client,
    narrow: gate.narrow,
    exited,
    stderrTail: launched.stderrTail,
    pids: launched.pids,
    takeDataDir: launched.takeDataDir,
    ping,
    kill,
    async close() {
      // Without a deadline a stopped plugin would hold us for ever; a plugin that dies while answering has done what we asked.
      await callUnary(client, GRPCController.method.shutdown, {}, shutdownMs).catch(() => undefined);
      const timer = new AbortController();
      await Promise.race([exited, sleep(exitMs, timer.signal)]);
      timer.abort();
      return await kill();
    },
  };
}

/** Trusts exactly the certificate of the handshake, and shows the one the plugin was given. */
function mutualTls(serverCert: Buffer, identity: Identity): ReturnType<typeof credentials.createSsl> {
  return credentials.createSsl(Buffer.from(certToPem(serverCert)), Buffer.from(identity.keyPem), Buffer.from(identity.certPem));
}

/** What the plugin prints after its handshake. Read from the start and without a pause, or its prints would block. */
function readStdio(client: Client, onLog: (record: PluginLogRecord) => void): void {
  const readers = new Map([
    [StdioData_Channel.STDOUT, createPluginLogReader((record) => onLog({ ...record, module: 'stdout' }))],
    [StdioData_Channel.STDERR, createPluginLogReader((record) => onLog({ ...record, module: 'stderr' }))],
  ]);
  const stream = client.makeServerStreamRequest(
    methodPath(GRPCStdio.method.streamStdio),
    (message: ReturnType<typeof create<typeof EmptySchema>>) => toBuffer(toBinary(EmptySchema, message)),
    (bytes: Buffer) => fromBinary(StdioDataSchema, bytes),
    create(EmptySchema),
  );
  stream.on('data', (data) => readers.get(data.channel)?.push(toBuffer(data.data)));
  stream.on('end', () => {
    for (const reader of readers.values()) reader.end();
  });
  stream.on('error', (error) => {
    // Plugins before go-plugin 1.0.2 do not know the call: they print to their own stdout, which is drained anyway.
    if (!isEndOfStream(error)) onLog({ level: 'warn', message: `the plugin's output stream ended: ${error.message}`, module: 'stdio', fields: {} });
  });
}
