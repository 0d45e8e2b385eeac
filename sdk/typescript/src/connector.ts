import { connectorCookie, connectorVersions } from '@vrsky/plugin/handshake';
import { NotAPluginHost, pluginLog, servePlugin } from '@vrsky/plugin/serve';
import * as z from 'zod';
import { checkDefinition } from './connector/check-definition.ts';
import { createIntake } from './connector/intake.ts';
import { createOutlet } from './connector/outlet.ts';
import { SECRET_NAME_CHARS_MAX, VRSKY_KEYWORD } from './connector/secret.ts';
import { connectorService, createConnectorService } from './connector/service.ts';

// Anything on stdout before the handshake would be taken for it, and a library may print while it is imported.
console.log = console.info = console.debug = console.error;

/** What a connector can be: where messages come from, or where they go. */
export type ConnectorRole = 'source' | 'destination';

/** What a connector says about itself. */
export interface ConnectorManifest {
  /** For machines, short and lower-case: `http`. */
  name: string;
  /** Semantic version of the release. */
  version: string;
  /** For people: a name of a few words. */
  title: string;
  /** For people: what it does, in a sentence or two. */
  description: string;
}

/** JSON Schema 2020-12 as an object. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/**
 * What a connection's settings must be: a zod schema, from which the settings get their type, or plain JSON Schema. The console makes its form from
 * it: give fields a `title` and a `description` (`.meta({ … })` in zod).
 */
export type SettingsSchema = z.ZodType | JsonSchema;

/** The type of settings that a schema has let through, its defaults filled in. */
export type SettingsOf<Schema> = Schema extends z.ZodType<infer Output> ? Output : Record<string, unknown>;

/** In settings: which secret is meant. The value comes beside the settings, never in them. */
export interface SecretRef {
  $secret: string;
}

/** A secret that settings refer to. Shows its name and never a value, however it is printed. */
export interface Secret {
  readonly name: string;
  /** Host names to which a value may be sent; empty for one that is only compared with. */
  readonly hosts: readonly string[];
  /** Sign and send with this one. */
  readonly newest: SecretVersion;
  /** The newest first; the older ones are valid until their overlap ends: accept any of them. */
  readonly versions: readonly SecretVersion[];
}

/** One value of a secret. Shows its number and never the value, however it is printed. */
export interface SecretVersion {
  readonly version: number;
  /** The value. Keep it where nothing prints it. */
  bytes(): Buffer;
  /** The value as UTF-8 text. */
  text(): string;
}

/** One configured use of the connector, by one pipeline of one tenant. */
export interface Connection<Settings = unknown, Role extends ConnectorRole = ConnectorRole> {
  /** Unique, and the same over restarts and new settings. */
  connectionId: string;
  /** The tenant's public id. */
  customerId: string;
  role: Role;
  /** As the schema lets them through: nothing is missing, defaults are filled in. */
  settings: Settings;
  /**
   * Of a destination: how many bytes of the peer's answer go on from here and have to be in the result whole. Read that many of it. 0: the beginning
   * is enough, for people.
   */
  answerBytesMax: number;
  /** With it: somebody waits for the answer, but nothing needs it. What the peer took is `ok`, also when the answer is lost; then it is cut. */
  answerOptional: boolean;
  /**
   * Of a source that `replies`: so long its senders wait for what the pipeline makes of their message, counted from when it came. 0: they are
   * answered as soon as it is stored. Hand it over with each message.
   */
  replyWithinMs: number;
  /**
   * The secret that settings refer to. In `configure` and `test` each reference has its secret. In `validate` the values may not be there: it
   * throws then.
   */
  secret(reference: SecretRef): Secret;
}

/** A connection in either role; `role` tells which settings it has. */
export type AnyConnection<S = unknown, D = unknown> = Connection<SettingsOf<S>, 'source'> | Connection<SettingsOf<D>, 'destination'>;

/** What came of one thing that Test connection tried. */
export interface Check {
  /** What was tried, in a few words for the customer: "Resolve api.example.com". */
  name: string;
  passed: boolean;
  /** What came of it, in a sentence; for a failed one also what to do. */
  detail: string;
  durationUs?: number;
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
  /** Wait so long for what the pipeline makes of it: `replyWithinMs` of its connection. Then there is a `Reply` after the receipt. */
  replyWithinMs?: number;
}

/**
 * What a pipeline made of a message, for the sender who waits.
 * - `done`: `payload` is the result.
 * - `filtered`: a step let the message go no further, as the pipeline says; `code` and `reason` say more.
 * - `failed`: a step or the destination failed for good, and the message is kept as a dead letter; `code` and `reason` say why.
 * - `too_large`: it went well, but the result is larger than what can be handed back.
 * - `pending`: there was nothing to tell in time. The message is stored and worked on: the sender must not send it again.
 */
export interface Reply {
  status: 'done' | 'filtered' | 'failed' | 'too_large' | 'pending';
  payload: Uint8Array;
  contentType: string;
  /** The destination's own status, when the result is a destination's answer; 0 when there is none. */
  peerStatus: number;
  code: string;
  /** A sentence for the customer. */
  reason: string;
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
  /** Of a message that was stored and whose sender waits for the result. Resolves within `replyWithinMs`; never rejects. */
  reply?: Promise<Reply>;
}

/** Where a source hands over what it received. */
export interface Intake {
  /** Resolves with the platform's word; never rejects. Answer your own sender only then. */
  submit(message: SourceMessage): Promise<Receipt>;
  /**
   * The same without a promise, for connectors that carry thousands of messages a second. `onReceipt` is called exactly once. After one that says
   * `stored`, `onReply` is called exactly once if the message has `replyWithinMs`, within that time.
   */
  offer(message: SourceMessage, onReceipt: (receipt: Receipt) => void, onReply?: (reply: Reply) => void): void;
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
  /**
   * The receiver's answer, decompressed. Up to the connection's `answerBytesMax` it goes on whole; of a longer one, and where that is 0, the first KiB
   * is kept.
   */
  peerAnswer?: Uint8Array;
  /** Its media type. */
  peerAnswerType?: string;
  /** There is more of it than `answerBytesMax`, and `peerAnswer` is only its beginning. Set for you when you give all of it. */
  peerAnswerCut?: boolean;
  startedAtUs?: number;
  durationUs?: number;
}

/** Where messages come from. */
export interface SourceDefinition<Schema extends SettingsSchema = SettingsSchema> {
  settings: Schema;
  /** It can answer its senders with what the pipeline makes of their message: see `replyWithinMs` of a connection. */
  replies?: boolean;
  /** Called once, before the platform is told that we are ready. Keep the intake and start to listen. */
  receive(intake: Intake): void | Promise<void>;
  /**
   * Replaces the whole set of connections; each has passed the schema and `validate`. Answer one row for each that cannot be applied; apply the
   * others. Called again with the same set after a restart, and never twice at a time.
   */
  configure(connections: Connection<SettingsOf<Schema>, 'source'>[]): Configured;
  /** Take no new work from peers, let what you have end, give up when `deadline` aborts. */
  drain?(deadline: AbortSignal): void | Promise<void>;
}

/** Where messages go. */
export interface DestinationDefinition<Schema extends SettingsSchema = SettingsSchema> {
  settings: Schema;
  /** As of a source. */
  configure(connections: Connection<SettingsOf<Schema>, 'destination'>[]): Configured;
  /**
   * Delivers one message. Return a promise, or call `done` once, which is cheaper. Several run at a time: bound them yourself. A rejection is taken
   * as `retryable` and a fault of the connector.
   */
  send(delivery: Delivery, done: (result: DeliveryResult) => void): void | Promise<DeliveryResult>;
  /** As of a source. Deliveries are waited for anyway. */
  drain?(deadline: AbortSignal): void | Promise<void>;
}

/** What `configure` answers: the connections that cannot be applied, or nothing. */
export type Configured = ConnectionErrors[] | undefined | Promise<ConnectionErrors[] | undefined>;

/** A whole connector. Its roles are those that are there. */
export interface ConnectorDefinition<S extends SettingsSchema = SettingsSchema, D extends SettingsSchema = SettingsSchema> {
  manifest: ConnectorManifest;
  /** Words of the manifest that are only known when it runs; they take the place of the manifest's. */
  describe?(): Partial<ConnectorManifest>;
  /**
   * Says what the schema cannot: whether fields fit each other, whether an expression can be read. Applies nothing and reaches nothing. It runs after
   * the schema, and again before `configure`.
   */
  validate?(connection: AnyConnection<S, D>): FieldError[] | Promise<FieldError[]>;
  /**
   * Test connection: tries what only the outside world can answer (resolve, connect, sign in), and delivers and changes nothing. Runs after
   * `validate`; give up when `deadline` aborts. `runCheck` measures one check and makes a failed one of an error.
   */
  test?(connection: AnyConnection<S, D>, deadline: AbortSignal): Check[] | Promise<Check[]>;
  source?: SourceDefinition<S> | undefined;
  destination?: DestinationDefinition<D> | undefined;
}

/** Why one connection cannot be applied. */
export interface ConnectionErrors {
  connectionId: string;
  errors: FieldError[];
}

/**
 * Describes a connector; `serveConnector` runs it. Throws when it cannot be one: no role, no semantic version, a schema that cannot be checked.
 *
 * ```ts
 * export default defineConnector({
 *   manifest: { name: 'echo', version: '1.0.0', title: 'Echo', description: 'Takes every message.' },
 *   destination: {
 *     settings: z.strictObject({ greeting: z.string().default('hello').meta({ title: 'Greeting' }) }),
 *     configure(connections) {},
 *     async send(delivery) { return { status: 'ok' }; },
 *   },
 * });
 * ```
 */
export function defineConnector<S extends SettingsSchema = JsonSchema, D extends SettingsSchema = JsonSchema>(
  definition: ConnectorDefinition<S, D>,
): ConnectorDefinition {
  const general = definition as unknown as ConnectorDefinition;
  checkDefinition(general);
  return general;
}

/** In a settings schema: a reference to one of the tenant's secrets. The console offers their names; `connection.secret(…)` gives the value. */
export function secret(words: { title?: string; description?: string } = {}): z.ZodType<SecretRef, SecretRef> {
  return z.strictObject({ $secret: z.string().min(1, 'Choose a secret').max(SECRET_NAME_CHARS_MAX) }).meta({ ...words, [VRSKY_KEYWORD]: 'secret' });
}

/** A check's own word on what failed: its text is for the customer. */
export class CheckFailed extends Error {
  override name = 'CheckFailed';
}

/** Runs one check of a `test`: what `run` answers is its detail. A `CheckFailed` makes it a failed one with that text, any other error too, without its text. */
export async function runCheck(name: string, run: () => string | Promise<string>): Promise<Check> {
  const startedMs = performance.now();
  const ended = (passed: boolean, detail: string): Check => ({ name, passed, detail, durationUs: Math.round((performance.now() - startedMs) * 1_000) });
  try {
    return ended(true, await run());
  } catch (error) {
    if (error instanceof CheckFailed) return ended(false, error.message);
    createConnectorLog('sdk')(
      'error',
      `a check failed by a fault of the connector: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return ended(false, 'The connector failed while it tried this; the log of the node says why.');
  }
}

/** Writes to the node's log, marked as this connector's. Never log payloads or secrets. */
export type ConnectorLog = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;

export function createConnectorLog(name: string): ConnectorLog {
  return pluginLog(name);
}

/**
 * Runs a connector: says hello to the node that started this process, and serves it until it says goodbye or dies. Then the process
 * ends. Started by hand, it explains itself and exits with status 1.
 */
export async function serveConnector(definition: ConnectorDefinition, env: Readonly<Record<string, string | undefined>> = process.env): Promise<never> {
  const log = createConnectorLog(definition.manifest.name);
  const intake = createIntake(log);
  const outlet = createOutlet(definition.destination?.send ?? null, log);
  try {
    if (env[connectorCookie.key] === connectorCookie.value) await definition.source?.receive(intake);
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
