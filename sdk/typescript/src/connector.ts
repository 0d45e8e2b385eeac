import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import type { PluginLogLevel } from '@vrsky/plugin/plugin-log';
import { NotAPluginHost, pluginLog, servePlugin } from '@vrsky/plugin/serve';
import { createIntake } from './connector/intake.ts';
import { createOutlet } from './connector/outlet.ts';
import { connectorService, createConnectorService } from './connector/service.ts';

// Anything on stdout before the handshake would be taken for it, and a library may print while it is imported.
console.log = console.info = console.debug = console.error;

/** What a connector can be: where messages come from, or where they go. */
export type ConnectorRole = 'source' | 'destination';

/** One configured use of the connector, by one pipeline of one tenant. */
export interface Connection {
  /** Unique, and the same over restarts and new settings. */
  connectionId: string;
  role: ConnectorRole;
  /** As the customer entered them. Check them yourself: `validate` and `configure` are where to say what is wrong. */
  settings: unknown;
}

/** One problem with one field; `path` is a JSON Pointer (RFC 6901) into the settings, `message` a sentence for the customer. */
export interface FieldError {
  path: string;
  message: string;
}

/** A message as it came from the outside world. */
export interface SourceMessage {
  connectionId: string;
  payload: Uint8Array;
  contentType?: string;
  /** Only those that the next hop may see: never credentials. */
  headers?: [name: string, value: string][];
  /** W3C Trace Context of the sender, if it sent a valid one. */
  traceparent?: string;
  tracestate?: string;
  /** Microseconds since the Unix epoch; now, when left out. */
  receivedAtUs?: number;
}

/**
 * The platform's word on one message.
 * - `stored`: on disk; tell the sender that it is accepted.
 * - `unavailable`: not stored, or nobody knows; the sender should come again.
 * - `exhausted`: the tenant's quota is used up.
 * - `too_large`: it will never be accepted.
 * - `not_found`: no pipeline listens here any more.
 */
export interface Receipt {
  status: 'stored' | 'unavailable' | 'exhausted' | 'too_large' | 'not_found';
  /** The id by which the customer finds the message; empty unless stored. */
  messageId: string;
  /** When to come again; 0 when there is nothing to say. */
  retryAfterMs: number;
}

/** Where a source hands over what it received. */
export interface Intake {
  /** Resolves with the platform's word; never rejects. Answer your own sender only then. */
  submit(message: SourceMessage): Promise<Receipt>;
  /** The same without a promise, for connectors that carry thousands of messages a second. `onReceipt` is called exactly once. */
  offer(message: SourceMessage, onReceipt: (receipt: Receipt) => void): void;
  /** How many messages more the platform takes now. At 0 every further one is `unavailable` at once: stop reading if your protocol can. */
  readonly room: number;
}

/** A message to deliver. */
export interface Delivery {
  connectionId: string;
  /** The tenant's public id. Send it along (header `Customer-ID`). */
  customerId: string;
  pipelineId: string;
  /** The same on every attempt: send it as an idempotency key. */
  messageId: string;
  traceparent: string;
  tracestate: string;
  /** From 1. */
  attempt: number;
  headers: [name: string, value: string][];
  payload: Uint8Array;
  contentType: string;
}

/** What became of one delivery. */
export interface DeliveryResult {
  /**
   * - `ok`: the receiver has it.
   * - `retryable`: not now, perhaps later.
   * - `permanent`: never; the message becomes a dead letter with your `reason`.
   * - `rate_limited`: later, not before `retryAfterMs`.
   */
  status: 'ok' | 'retryable' | 'permanent' | 'rate_limited';
  /** Whose fault: the receiver's (`downstream`, the default) or ours (`plugin`). */
  source?: 'plugin' | 'downstream';
  /** Stable, for rules and metrics: `http_500`. */
  code?: string;
  /** A sentence for the customer. Never repeat settings or secrets in it. */
  reason?: string;
  retryAfterMs?: number;
  /** The receiver's own status, 0 when it gave none. */
  peerStatus?: number;
  /** The first bytes of the receiver's answer, at most 1 KiB. */
  peerAnswer?: Uint8Array;
  startedAtUs?: number;
  durationUs?: number;
}

export interface ConnectorDefinition {
  /** Short and lower-case: `http`. */
  name: string;
  /** Semantic version of the release. */
  version: string;
  roles: readonly ConnectorRole[];
  /** JSON Schema of a connection's settings, by role; the console makes its form from it. */
  settingsSchemas: Partial<Record<ConnectorRole, object>>;
  /** Checks one connection without applying it. */
  validate(connection: Connection): FieldError[] | Promise<FieldError[]>;
  /**
   * Replaces the whole set of connections. Answer one row for each that cannot be applied; apply the others. Called again with the
   * same set after a restart.
   */
  configure(connections: Connection[]): ConnectionErrors[] | Promise<ConnectionErrors[]>;
  /** Role source: called once, before the platform is told that we are ready. Keep the intake and start to listen. */
  receive?(intake: Intake): void | Promise<void>;
  /**
   * Role destination: delivers one message. Return a promise, or call `done` once, which is cheaper. Several run at a time: bound them
   * yourself. A rejection is taken as `retryable` and a fault of the connector.
   */
  send?(delivery: Delivery, done: (result: DeliveryResult) => void): void | Promise<DeliveryResult>;
  /** Take no new work from peers, let what you have end, give up when `deadline` aborts. */
  drain?(deadline: AbortSignal): void | Promise<void>;
}

export interface ConnectionErrors {
  connectionId: string;
  errors: FieldError[];
}

/** Writes to the node's log, marked as this connector's. Never log payloads or secrets. */
export type ConnectorLog = (level: PluginLogLevel, message: string, fields?: Record<string, unknown>) => void;

export function createConnectorLog(name: string): ConnectorLog {
  return pluginLog(name);
}

/**
 * Runs a connector: says hello to the node that started this process, and serves it until it says goodbye or dies. Then the process
 * ends. Started by hand, it explains itself and exits with status 1.
 *
 * ```ts
 * await serveConnector({
 *   name: 'echo', version: '1.0.0', roles: ['destination'], settingsSchemas: { destination: {} },
 *   validate: () => [], configure: () => [],
 *   async send(delivery) { return { status: 'ok' }; },
 * });
 * ```
 */
export async function serveConnector(definition: ConnectorDefinition, env: Readonly<Record<string, string | undefined>> = process.env): Promise<never> {
  const log = createConnectorLog(definition.name);
  const intake = createIntake(log);
  const outlet = createOutlet(definition, log);
  try {
    const receives = definition.roles.includes('source') && env[connectorCookie.key] === connectorCookie.value;
    if (receives) await definition.receive?.(intake);
    const served = await servePlugin({
      cookie: connectorCookie,
      versions: connectorVersions,
      env,
      register: (add) => add(connectorService, createConnectorService({ definition, intake, outlet, log })),
    });
    await served.ended;
    await served.close();
  } catch (error) {
    if (!(error instanceof NotAPluginHost)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  // Here the protocol ends the process: its host waits two seconds and then kills, and an orphan has nobody who would.
  process.exit(0);
}
