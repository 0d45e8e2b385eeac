import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { openPlugin, type PluginHandle } from '@vrsky/plugin/client';
import { type ConnectorClient, createConnectorClient } from '@vrsky/plugin/connector-client';
import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import { type DescribeResponse, Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';

export type RoleName = 'source' | 'destination';
export const roleNumbers: Record<RoleName, Role> = { source: Role.SOURCE, destination: Role.DESTINATION };

/** A connection as it is sent. */
export interface WireConnection {
  connectionId: string;
  role: Role;
  settings: string;
  customerId?: string;
  replyWithinMs?: number;
  secrets?: { name: string; hosts: string[]; versions: { version: number; value: Uint8Array }[] }[];
}

export interface Limits {
  /** For the start, up to the handshake. A node waits longer; what is slower than this keeps customers waiting. */
  startMs: number;
  /** For one call, and for the results of what was sent. */
  callMs: number;
  /** How long to wait for what must not come. */
  quietMs: number;
  /** How long to wait for a message of the source. */
  sourceMs: number;
  /** How long it may live on when its host was killed. */
  orphanMs: number;
}

/** A request that makes the source take in a message, for sources that wait for somebody. */
export interface PokeRequest {
  url: string;
  method?: string | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | undefined;
}

export interface CheckOptions {
  /** The executable. */
  command: string;
  args?: readonly string[];
  /** Its whole environment, beside what every connector gets. */
  env?: Readonly<Record<string, string>>;
  /** Settings of a connection that is good, by role; without them the first of the schema's `examples`, its `default`, or nothing at all. */
  settings?: Partial<Record<RoleName, unknown>>;
  /** Values of the secrets that settings refer to; made up when left out. */
  secrets?: Readonly<Record<string, string>>;
  request?: PokeRequest | undefined;
  limits?: Partial<Limits>;
  /** Only the checks of these names. */
  only?: readonly string[];
}

/** One thing that is asked of a connector. `run` answers what there is to say, or throws `Failed` or `Skipped`. */
export interface Check {
  name: string;
  title: string;
  run(session: Session): Promise<string | undefined>;
}

/** The connector does not do what is asked: what it did instead, and what to do. */
export class Failed extends Error {
  override name = 'Failed';
}

/** It could not be seen: why, and what would show it. */
export class Skipped extends Error {
  override name = 'Skipped';
}

/** One connector under examination: one process for most checks, started anew when it has died. */
export interface Session {
  readonly options: CheckOptions;
  readonly limits: Limits;
  /** Looked for wherever it must not be. */
  readonly canary: string;
  /** Whether a connection with secrets was applied. */
  gaveSecrets(): boolean;
  /** Everything it wrote, of all its processes. */
  readonly logs: readonly PluginLogRecord[];
  plugin(): Promise<PluginHandle>;
  client(): Promise<ConnectorClient>;
  describe(): Promise<DescribeResponse>;
  /** Whether the connector has the role; throws `Skipped` when it has not. */
  needRole(role: RoleName): Promise<void>;
  /** A good connection of a role. Throws `Skipped` when nobody knows settings for one. */
  connection(role: RoleName, more?: Partial<WireConnection>): Promise<WireConnection>;
  /** Good connections of every role that it has and for which there are settings. */
  connections(): Promise<WireConnection[]>;
  /** Applies connections under the next generation. Throws `Failed` when they are refused. */
  configure(connections: WireConnection[]): Promise<void>;
  nextGeneration(): bigint;
  /** Sends the request that makes the source take something in. */
  poke(): void;
  /** The same, and what its sender was answered; null when there is no such request or no answer. */
  ask(): Promise<string | null>;
  /** What the connector said it is, as far as it was asked. */
  identity(): { name: string; version: string } | null;
  /** That the process for most checks has died since this was last asked, in a sentence. */
  takeDeath(): string | null;
  /** Ends the process for most checks; a check that needs it again gets a new one. */
  close(): Promise<void>;
}

const defaultLimits: Limits = { startMs: 15_000, callMs: 10_000, quietMs: 300, sourceMs: 5_000, orphanMs: 5_000 };

export function createSession(options: CheckOptions): Session {
  const limits = { ...defaultLimits, ...options.limits };
  const canary = `canary${randomBytes(16).toString('hex')}`;
  const logs: PluginLogRecord[] = [];
  let running: { plugin: PluginHandle; client: ConnectorClient } | null = null;
  let death: string | null = null;
  let described: DescribeResponse | null = null;
  let generation = 0n;
  let gaveSecrets = false;
  let neverStarted = false;

  const start = async (): Promise<{ plugin: PluginHandle; client: ConnectorClient }> => {
    if (running !== null) return running;
    if (neverStarted) throw new Skipped('It does not start.');
    const { command, args = [], env = {} } = options;
    const plugin = await openPlugin({
      ...{ command, args, env },
      cookie: connectorCookie,
      versions: connectorVersions,
      startTimeoutMs: limits.startMs,
      onLog: (record) => void logs.push(record),
    }).catch((error: Error) => {
      neverStarted = true;
      throw new Failed(`It did not start: ${error.message}.`);
    });
    const made = { plugin, client: createConnectorClient(plugin.client, limits.callMs) };
    running = made;
    generation = 0n;
    void plugin.exited.then(({ code, signal }) => {
      if (running !== made) return;
      running = null;
      death = `It ended by itself meanwhile (${signal ?? `status ${code}`}): one bad call must not take all the others with it.`;
    });
    return made;
  };

  const session: Session = {
    options,
    limits,
    canary,
    logs,
    gaveSecrets: () => gaveSecrets,
    plugin: async () => (await start()).plugin,
    client: async () => (await start()).client,
    async describe() {
      if (described !== null) return described;
      const answer = await (await session.client()).describe();
      described = answer;
      return answer;
    },
    async needRole(role) {
      const { roles } = await session.describe();
      if (!roles.includes(roleNumbers[role])) throw new Skipped(`It is no ${role}.`);
    },
    async connection(role, more = {}) {
      await session.needRole(role);
      const settings = settingsOf(role, await session.describe(), options);
      if (settings === undefined)
        throw new Skipped(`No settings of a good ${role} are known: give them with --settings, or put one into "examples" of its settings schema.`);
      const names = secretNames(settings);
      return {
        connectionId: `conformance/${role}`,
        role: roleNumbers[role],
        customerId: 'cus_conformance',
        settings: JSON.stringify(settings),
        secrets: [...names, 'conformance-canary'].map((name) => ({
          name,
          hosts: ['localhost'],
          versions: [{ version: 1, value: Buffer.from(options.secrets?.[name] ?? canary) }],
        })),
        ...more,
      };
    },
    async connections() {
      const made: WireConnection[] = [];
      for (const role of ['source', 'destination'] as const) {
        try {
          made.push(await session.connection(role));
        } catch (error) {
          if (!(error instanceof Skipped)) throw error;
        }
      }
      return made;
    },
    async configure(connections) {
      const client = await session.client();
      const { errors } = await client.configure({ generation: session.nextGeneration(), connections });
      gaveSecrets ||= connections.length > 0;
      const [first] = errors;
      if (first !== undefined)
        throw new Failed(
          `Configure refuses a connection that should be good: ${first.errors.map(({ path, message }) => `${path || '/'}: ${message}`).join('; ')}`,
        );
    },
    nextGeneration: () => ++generation,
    poke() {
      // Its answer is the connector's affair with its sender, and comes only when we have given ours.
      void session.ask();
    },
    async ask() {
      const { request } = options;
      if (request === undefined) return null;
      const { url, method = 'POST', headers = {}, body } = request;
      const answer = fetch(url, { method, headers, ...(body !== undefined && { body }), signal: AbortSignal.timeout(limits.callMs) });
      return answer.then((response) => response.text()).catch(() => null);
    },
    identity: () => (described === null ? null : { name: described.name, version: described.version }),
    takeDeath() {
      const said = death;
      death = null;
      return said;
    },
    async close() {
      const last = running;
      running = null;
      await last?.plugin.kill();
    },
  };
  return session;
}

function settingsOf(role: RoleName, described: DescribeResponse, options: CheckOptions): unknown {
  if (options.settings?.[role] !== undefined) return options.settings[role];
  const text = role === 'source' ? described.sourceSettingsSchema : described.destinationSettingsSchema;
  let schema: { examples?: unknown[]; default?: unknown; required?: unknown[] };
  try {
    schema = JSON.parse(text);
  } catch {
    return undefined; // another check says so
  }
  return schema.examples?.[0] ?? schema.default;
}

function secretNames(settings: unknown): string[] {
  if (typeof settings !== 'object' || settings === null) return [];
  const { $secret } = settings as { $secret?: unknown };
  return typeof $secret === 'string' ? [$secret] : [...new Set(Object.values(settings).flatMap(secretNames))];
}

/** A call that the connector has to answer: an error of it is said as one of the connector's. */
export async function answered<T>(what: string, call: Promise<T>): Promise<T> {
  return await call.catch((error: { code?: number; details?: string; message: string }) => {
    if (error instanceof Failed || error instanceof Skipped) throw error;
    if (error.code === status.DEADLINE_EXCEEDED) throw new Failed(`${what} is not answered in time.`);
    throw new Failed(`${what} fails: ${error.details || error.message}.`);
  });
}

/** Waits until `holds` is true; answers whether it became so in time. */
export async function until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
const POLL_MS = 10;
