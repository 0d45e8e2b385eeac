import { randomBytes } from 'node:crypto';
import { chmod, chown, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { GRPCController, EmptySchema as PluginEmptySchema } from '@vrsky/proto/gen/goplugin/grpc_controller_pb';
import { GRPCStdio, type StdioData, StdioData_Channel, StdioDataSchema } from '@vrsky/proto/gen/goplugin/grpc_stdio_pb';
import { Health, type HealthCheckRequest, HealthCheckResponse_ServingStatus, HealthCheckResponseSchema } from '@vrsky/proto/gen/goplugin/health_pb';
import { createIdentity } from './certificate.ts';
import { formatHandshake, type MagicCookie, NO_COMMON_VERSION, negotiateVersion, parseVersions, pluginEnv } from './handshake.ts';
import { formatLogLine, type PluginLogLevel } from './plugin-log.ts';
import { channelOptions, frameMethod, generatedMethod } from './rpc.ts';

export interface ServeOptions {
  cookie: MagicCookie;
  versions: readonly number[];
  env: Readonly<Record<string, string | undefined>>;
  /** Adds the application's services, before anybody can call. */
  register(add: (service: ServiceDefinition, implementation: UntypedServiceImplementation) => void): void;
}

export interface ServedPlugin {
  /** Why the plugin should end now: its host said so, or its host is gone. Resolves once. */
  readonly ended: Promise<'shutdown' | 'orphaned'>;
  /** Ends every call and removes the socket. */
  close(): Promise<void>;
}

/** Thrown when somebody starts a plugin by hand. */
export class NotAPluginHost extends Error {
  constructor() {
    super('This program is a plugin of VRSky. It is started by a connection node, not by hand.');
    this.name = 'NotAPluginHost';
  }
}

/** What a plugin prints before its host reads it; older output is dropped. */
const BACKLOG_BYTES_MAX = 65_536;
const PARENT_CHECK_MS = 500;
/** What the plugin's half of the protocol itself logs is marked with this. */
const PROTOCOL_MODULE = 'vrsky.plugin';
/** Frames of output that wait for a host which does not read them. */
const STDIO_FRAMES_MAX = 1_024;

/**
 * The plugin half of go-plugin: checks the cookie, listens on a socket of its own, prints the handshake line, and from then on sends
 * what the process prints to its host. Throws NotAPluginHost when the cookie is missing.
 */
export async function servePlugin(options: ServeOptions): Promise<ServedPlugin> {
  const { env } = options;
  if (env[options.cookie.key] !== options.cookie.value) throw new NotAPluginHost();
  const parent = process.ppid;

  let end: (why: 'shutdown' | 'orphaned') => void = () => undefined;
  const ended = new Promise<'shutdown' | 'orphaned'>((resolve) => {
    end = resolve;
  });
  const stdio = createStdio();
  const server = new Server(channelOptions);
  server.addService(serviceOf(Health), healthService);
  server.addService(serviceOf(GRPCStdio), { streamStdio: stdio.attach });
  server.addService(brokerService, { startStream: holdBroker });
  server.addService(serviceOf(GRPCController), {
    shutdown(_: unknown, answer: sendUnaryData<unknown>) {
      answer(null, create(PluginEmptySchema));
      setImmediate(() => end('shutdown')); // after the answer has left
    },
  });
  options.register((service, implementation) => server.addService(service, implementation));

  const socketPath = join(env[pluginEnv.socketDir] || tmpdir(), `plugin${randomBytes(5).toString('hex')}`);
  const hostCert = env[pluginEnv.clientCert];
  const identity = hostCert ? createIdentity() : null;
  await bind(
    server,
    socketPath,
    identity === null
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          Buffer.from(hostCert as string),
          [{ private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certPem) }],
          true,
        ),
  );
  await openToGroup(socketPath, env[pluginEnv.socketGroup]);

  // A Ctrl-C in a terminal reaches the whole process group; when to end is the host's decision.
  process.on('SIGINT', () => undefined);
  const watch = setInterval(() => {
    if (process.ppid !== parent) end('orphaned');
  }, PARENT_CHECK_MS);

  const version = negotiateVersion(options.versions, env[pluginEnv.protocolVersions]);
  const asked = env[pluginEnv.protocolVersions];
  if (asked && !parseVersions(asked).includes(version))
    pluginLog(PROTOCOL_MODULE)('error', NO_COMMON_VERSION, { versions: options.versions.join(','), host_versions: asked });
  process.stdout.write(formatHandshake({ version, socketPath, serverCert: identity?.certDer ?? null, multiplexAsked: Boolean(env[pluginEnv.multiplex]) }));
  stdio.capture();
  return {
    ended,
    async close() {
      clearInterval(watch);
      server.forceShutdown();
      await rm(socketPath, { force: true });
    },
  };
}

/** A logger for plugins: hclog's JSON on stderr, which every go-plugin host reads. */
export function pluginLog(module: string): (level: PluginLogLevel, message: string, fields?: Record<string, unknown>) => void {
  return (level, message, fields = {}) => void process.stderr.write(formatLogLine({ level, message, module, fields }));
}

function serviceOf(service: { methods: readonly Parameters<typeof generatedMethod>[0][] }): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, generatedMethod(method)])) as ServiceDefinition;
}

const healthService: UntypedServiceImplementation = {
  check(call: ServerUnaryCall<HealthCheckRequest, unknown>, answer: sendUnaryData<unknown>) {
    if (call.request.service !== '' && call.request.service !== 'plugin') answer({ code: status.NOT_FOUND, details: 'unknown service' });
    else answer(null, create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVING }));
  },
  watch(call: ServerWritableStream<HealthCheckRequest, unknown>) {
    call.write(create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVING }));
  },
};

/** A Go host opens the broker's stream at once. Our calls go host to plugin only, so it is held open and nothing is said on it. */
const brokerService: ServiceDefinition = { startStream: frameMethod('/plugin.GRPCBroker/StartStream') } as unknown as ServiceDefinition;

function holdBroker(call: ServerDuplexStream<Buffer, Buffer>): void {
  call.on('data', () => undefined);
  call.on('end', () => call.end());
  call.on('error', () => undefined); // the host went away; there is nothing of ours on this stream
}

interface Stdio {
  attach(call: ServerWritableStream<unknown, StdioData>): void;
  /** From now on what is printed on stdout goes to the host's stream. */
  capture(): void;
}

function createStdio(): Stdio {
  let stream: ServerWritableStream<unknown, StdioData> | null = null;
  let backlog: Buffer[] = [];
  let backlogBytes = 0;

  const emit = (data: Buffer): void => {
    if (stream !== null) {
      if (stream.writableLength < STDIO_FRAMES_MAX) stream.write(create(StdioDataSchema, { channel: StdioData_Channel.STDOUT, data }));
      return;
    }
    backlog.push(data);
    backlogBytes += data.length;
    while (backlogBytes > BACKLOG_BYTES_MAX) backlogBytes -= (backlog.shift() as Buffer).length;
  };
  return {
    attach(call) {
      stream = call;
      const lost = (): void => {
        if (stream === call) stream = null;
      };
      call.on('cancelled', lost);
      call.on('error', lost);
      const kept = backlog;
      backlog = [];
      backlogBytes = 0;
      for (const data of kept) emit(data);
    },
    capture() {
      process.stdout.write = ((chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), done?: () => void) => {
        emit(typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(chunk));
        const callback = typeof encoding === 'function' ? encoding : done;
        if (callback !== undefined) queueMicrotask(callback);
        return true;
      }) as typeof process.stdout.write;
    },
  };
}

async function bind(server: Server, socketPath: string, serverCredentials: ServerCredentials): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socketPath}`, serverCredentials, (error) => (error === null ? resolve() : reject(error))),
  );
}

/** The host may run as another user: it then names a group that both are in. */
async function openToGroup(socketPath: string, group: string | undefined): Promise<void> {
  if (!group) return;
  if (!/^\d+$/.test(group)) throw new Error(`${pluginEnv.socketGroup} must be a numeric group id, not ${JSON.stringify(group)}`);
  await chown(socketPath, -1, Number(group));
  await chmod(socketPath, 0o660);
}
