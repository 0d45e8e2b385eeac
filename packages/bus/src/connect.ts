import { connect, createInbox, type NatsConnection } from '@nats-io/transport-node';
import { backoff } from '@vrsky/kernel/backoff';
import { describeError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import { toBusError, unavailable } from './bus-error.ts';
import { nkeyFromSeed } from './nkey.ts';

/** A user JWT and the seed of the key it was issued for. */
export interface Credentials {
  jwt: string;
  seed: string;
}

export interface ConnectOptions {
  url: string;
  /** Shown in the server's lists and in errors. */
  name: string;
  /** Prefix of every subject on which answers come; the credentials allow this one and no other. See `inboxPrefix`. */
  inbox: string;
  /** Asked at each connect, so that renewed credentials are used from the next reconnect on. */
  credentials: () => Credentials;
  /** For one try to connect. */
  timeoutMs?: number;
  /** Keep trying until there is a server, instead of failing at the first refusal. Ends with `stop`. */
  waitOnFirstConnect?: boolean;
  stop?: AbortSignal;
  log?: (line: string) => void;
}

/** A dead peer is noticed after two missed pings. */
const PING_EVERY_MS = 10_000;
const RECONNECT = { initialMs: 100, maxMs: 2_000 };

const inboxes = new WeakMap<NatsConnection, string>();

/** Connects to NATS; once connected, reconnects for ever. Throws AppError `BUS.UNAVAILABLE` or `BUS.UNAUTHENTICATED`. */
export async function connectBus(options: ConnectOptions): Promise<NatsConnection> {
  const retry = backoff(RECONNECT);
  for (;;) {
    try {
      return await connectOnce(options);
    } catch (error) {
      const failure = toBusError(`connect ${options.name} to ${options.url}`, error);
      if (!options.waitOnFirstConnect || options.stop?.aborted) throw failure;
      options.log?.(describeError(failure));
      await sleep(retry.nextMs(), options.stop);
      if (options.stop?.aborted) throw failure;
    }
  }
}

/** A subject under the connection's own inbox prefix that nobody else has. */
export function newInbox(nc: NatsConnection): string {
  const prefix = inboxes.get(nc);
  if (prefix === undefined) throw new Error('bug: this connection was not made by connectBus');
  return createInbox(prefix);
}

/** Runs one request and gives back its answer; every failure is an AppError that says what was tried. */
export async function ask(
  nc: NatsConnection,
  subject: string,
  body: string | Uint8Array,
  timeoutMs: number,
): Promise<{ data: Uint8Array; text: string; header(name: string): string; status: number }> {
  if (!isUp(nc)) throw unavailable(`request ${subject}: NATS is not connected`);
  try {
    const answer = await nc.request(subject, body, { timeout: timeoutMs });
    return { data: answer.data, text: answer.string(), header: (name) => answer.headers?.get(name) ?? '', status: answer.headers?.code ?? 0 };
  } catch (error) {
    throw toBusError(`request ${subject}`, error);
  }
}

export interface ConnectionListener {
  down?(): void;
  up?(): void;
  closed?(): void;
}

/** Tells a part about losses of the connection. Returns the function that ends it. */
export function onConnectionChange(nc: NatsConnection, listener: ConnectionListener): () => void {
  const status = nc.status();
  void (async () => {
    for await (const event of status) {
      if (event.type === 'disconnect') listener.down?.();
      else if (event.type === 'reconnect') listener.up?.();
      else if (event.type === 'close') listener.closed?.();
    }
  })();
  return () => (status as unknown as { stop(): void }).stop();
}

const down = new WeakSet<NatsConnection>();

/** Is there a server behind the connection at this moment, as far as we know? */
export function isUp(nc: NatsConnection): boolean {
  return !down.has(nc) && !nc.isClosed();
}

async function connectOnce(options: ConnectOptions): Promise<NatsConnection> {
  const retry = backoff(RECONNECT);
  // The client asks for the delay more than once between two tries, so it grows with the tries and not with the asking.
  let delayMs = retry.nextMs();
  const nc = await connect({
    servers: options.url,
    name: options.name,
    inboxPrefix: options.inbox,
    authenticator: (nonce) => sign(options.credentials(), nonce),
    timeout: options.timeoutMs ?? 5_000,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => delayMs,
    // The client gives up after two equal refusals; ours may get new credentials meanwhile.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_EVERY_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  inboxes.set(nc, options.inbox);
  void (async () => {
    for await (const event of nc.status()) {
      if (event.type === 'disconnect') {
        down.add(nc);
        options.log?.(`${options.name}: lost NATS at ${event.server}`);
      } else if (event.type === 'reconnecting') {
        delayMs = retry.nextMs();
      } else if (event.type === 'reconnect') {
        down.delete(nc);
        retry.reset();
        delayMs = retry.nextMs();
        options.log?.(`${options.name}: NATS is back`);
      } else if (event.type === 'error') options.log?.(`${options.name}: NATS says ${event.error.message}`);
      else if (event.type === 'slowConsumer' || event.type === 'staleConnection') options.log?.(`${options.name}: ${event.type}`);
    }
  })();
  return nc;
}

function sign(credentials: Credentials, nonce: string | undefined): { jwt: string; nkey: string; sig: string } {
  const key = nkeyFromSeed('user', credentials.seed);
  const sig = Buffer.from(key.sign(Buffer.from(nonce ?? ''))).toString('base64url');
  return { jwt: credentials.jwt, nkey: key.publicKey, sig };
}
