import type { ConnectorState } from '@vrsky/contracts/node-status';
import { AppError, describeError } from '@vrsky/kernel/errors';
import { aborted, type Part, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import type { RawEntry } from '@vrsky/proto/message-codec';
import type { ProcessCalls } from './call-ledger.ts';
import { type ConnectionErrors, type ConnectorConnection, type ConnectorSession, openSession } from './connector-session.ts';
import { findProcessStats, type ProcessStats } from './process-stats.ts';
import { createRestartPolicy } from './restart-policy.ts';
import { createSends, type OutgoingMessage, type SendOutcome } from './sends.ts';

export type ReceivedEntry = RawEntry;
export type AckStatus = 'stored' | 'unavailable' | 'exhausted' | 'too_large' | 'not_found';

export interface ConnectorHostOptions {
  name: string;
  /** Path of the connector. */
  executable: string;
  /** Its whole environment, beside what every plugin gets; ours is not passed on. Never secrets. */
  env: Record<string, string>;
  /** How many messages it may hand over beyond those acknowledged. */
  credit: number;
  /** Opens the books of a process that is about to be started. */
  openCalls?(): ProcessCalls;
  log: Log;
}

/** Supervises one connector process: starts it, watches it, replaces it. */
export interface ConnectorHost extends Part {
  readonly done: Promise<void>;
  /** Set once, before `start`. */
  onReceive(handler: (entries: ReceivedEntry[]) => void): void;
  /** Answers an entry; an answer to a process that is gone is dropped. */
  ack(seq: number, status: AckStatus, options: { messageId: string; retryAfterMs?: number }): void;
  /**
   * Replaces the whole set of connections, also in every process that is started later. Answers one row for each connection that
   * the connector does not accept. Rejects AppError `PLUGIN.UNAVAILABLE` when no process took the set in time: it is applied later.
   */
  configure(generation: number, connections: ConnectorConnection[]): Promise<ConnectionErrors[]>;
  /**
   * Delivers one message. Never rejects: a connector that is away or late is an outcome. Late is one that gives the connection no
   * result at all for `deadlineMs`; a message behind a slow receiver may take longer.
   */
  send(message: OutgoingMessage, deadlineMs: number): Promise<SendOutcome>;
  state(): ConnectorState;
  stats(): ConnectorStats;
}

export interface ConnectorStats {
  /** From launch to handshake, of the last start; 0 before it. */
  handshakeMs: number;
  sendsInFlight: number;
  /** Messages that wait for a process to come up. */
  sendsWaiting: number;
}

const PING_EVERY_MS = 3_000;
const PINGS_MISSED_MAX = 2;
const EXPIRE_EVERY_MS = 100;
const CONFIGURE_WAIT_MS = 30_000;
const DRAIN_MS = 60_000;
const NO_STATS: ProcessStats = { cpuSeconds: 0, rssBytes: 0 };

/** Creates the supervisor of one connector. `start` resolves when the connector serves, and rejects when it fails again and again. */
export function createConnectorHost(options: ConnectorHostOptions): ConnectorHost {
  const { name, log } = options;
  const sends = createSends();
  const restarts = createRestartPolicy();
  const disposed = new AbortController();
  const done = Promise.withResolvers<void>();
  const up = Promise.withResolvers<void>();
  up.promise.catch(() => undefined); // heard by `start`, if that is waiting
  let onReceive: (entries: ReceivedEntry[]) => void = () => undefined;
  /** The process that is up and configured. */
  let session: ConnectorSession | null = null;
  let next = Promise.withResolvers<ConnectorSession>();
  let desired: { generation: number; connections: ConnectorConnection[] } | null = null;
  let expiry: NodeJS.Timeout | undefined;

  let starts = 0;
  let state: ConnectorState['state'] = 'stopped';
  let reason: string | undefined;
  let version = '';
  let handshakeMs = 0;
  /** CPU of processes that are gone. */
  let pastCpuSeconds = 0;
  let lastStats = NO_STATS;

  const sampleStats = (): ProcessStats => {
    if (session !== null) lastStats = findProcessStats(session.pid) ?? lastStats;
    return lastStats;
  };

  const open = (): Promise<ConnectorSession> =>
    openSession({
      executable: options.executable,
      env: options.env,
      onReceive: (entries) => onReceive(entries),
      onResults: sends.settle,
      calls: options.openCalls?.(),
      onLog: ({ level, message, module, fields }: PluginLogRecord) => log[level]({ plugin: { name, module, fields } }, message),
    });

  /** Configures a new process, opens its streams and lets the messages go. */
  const bringUp = async (current: ConnectorSession): Promise<void> => {
    if (desired !== null) await current.configure(desired.generation, desired.connections);
    current.openStreams(options.credit);
    sends.open({ write: current.send });
    session = current;
    state = 'running';
    reason = undefined;
    version = current.version;
    handshakeMs = current.handshakeMs;
    log.info({ connector: name, version, pid: current.pid, handshakeMs: Math.round(handshakeMs) }, 'the connector is up');
    next.resolve(current);
    up.resolve();
  };

  /** One process from start to end. Answers why it ended, in words for a person. */
  const runOnce = async (stop: AbortSignal): Promise<string> => {
    let current: ConnectorSession | null = null;
    try {
      current = await open();
      await bringUp(current);
      return await untilBroken(current, stop, sampleStats);
    } catch (error) {
      log.error({ err: error, connector: name }, 'the connector did not start');
      return `The connector did not start: ${describeError(error)}.`;
    } finally {
      sampleStats();
      session = null;
      next = Promise.withResolvers();
      pastCpuSeconds += lastStats.cpuSeconds;
      lastStats = NO_STATS;
      if (stop.aborted) await current?.close();
      else await current?.kill();
    }
  };

  const supervise = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      state = starts === 0 ? 'starting' : 'restarting';
      starts++;
      const startedMs = performance.now();
      const cause = await runOnce(stop);
      if (stop.aborted) break;
      const { delayMs, isOpen } = restarts.ended(performance.now() - startedMs);
      state = isOpen ? 'stopped' : 'restarting';
      reason = isOpen ? `${cause} It failed again and again; the next try is in ${delayMs / 1_000} s.` : cause;
      sends.close(cause);
      log.warn({ connector: name, cause, delayMs, restarts: starts }, 'the connector is gone and will be started again');
      if (isOpen) up.reject(new AppError({ code: 'PLUGIN.UNAVAILABLE', kind: 'unavailable', source: 'plugin', message: `connector ${name}: ${cause}` }));
      await sleep(delayMs, stop);
    }
    state = 'stopped';
  };

  return {
    name: `connector ${name}`,
    done: done.promise,
    onReceive(handler) {
      onReceive = handler;
    },
    async start(stop) {
      expiry = setInterval(sends.expire, EXPIRE_EVERY_MS);
      supervise(disposed.signal).then(done.resolve, done.reject);
      await Promise.race([up.promise, aborted(stop)]);
    },
    ack(seq, status, { messageId, retryAfterMs = 0 }) {
      session?.ack(seq, status, messageId, retryAfterMs);
    },
    async configure(generation, connections) {
      desired = { generation, connections };
      const deadline = AbortSignal.timeout(CONFIGURE_WAIT_MS);
      for (;;) {
        const current = session ?? (await Promise.race([next.promise, aborted(deadline)]));
        if (current === undefined) throw notRunning(name);
        try {
          // What is wanted now: after a wait that may be newer than what was asked for, and the older set is never applied alone.
          return await current.configure(desired.generation, desired.connections);
        } catch (cause) {
          // A process that died under the call is no answer; the next one is asked.
          const isGone = await Promise.race([current.broken.then(() => true), sleep(GONE_WAIT_MS).then(() => false)]);
          if (!isGone)
            throw new AppError({
              code: 'PLUGIN.CONFIGURE',
              kind: 'unavailable',
              source: 'plugin',
              message: `connector ${name} refuses its configuration`,
              publicMessage: 'The connector could not take the new configuration.',
              cause,
            });
          if (session === current) await sleep(GONE_WAIT_MS); // until the supervisor has seen it too
          if (deadline.aborted) throw notRunning(name);
        }
      }
    },
    send: sends.send,
    state() {
      const { cpuSeconds, rssBytes } = sampleStats();
      return {
        name,
        version,
        state,
        pid: session?.pid ?? null,
        restarts: Math.max(0, starts - 1),
        cpuSeconds: pastCpuSeconds + cpuSeconds,
        rssBytes,
        ...(reason === undefined ? {} : { reason }),
      };
    },
    stats: () => ({ handshakeMs, sendsInFlight: sends.inFlight, sendsWaiting: sends.waiting }),
    async drain(deadline) {
      await Promise.race([session?.drain(DRAIN_MS), aborted(deadline)]);
    },
    async [Symbol.asyncDispose]() {
      disposed.abort();
      sends.end();
      clearInterval(expiry);
      if (starts > 0) await done.promise;
    },
  };
}
/** How soon after a failed call we know whether its process is gone. */
const GONE_WAIT_MS = 250;

/** Watches one process until it is gone, broken, deaf, or to be stopped. */
async function untilBroken(session: ConnectorSession, stop: AbortSignal, sample: () => void): Promise<string> {
  const over = new AbortController();
  try {
    return await Promise.race([session.broken, untilDeaf(session, AbortSignal.any([stop, over.signal]), sample)]);
  } finally {
    over.abort();
  }
}

async function untilDeaf(session: ConnectorSession, stop: AbortSignal, sample: () => void): Promise<string> {
  let missed = 0;
  while (missed < PINGS_MISSED_MAX) {
    if (missed === 0) await sleep(PING_EVERY_MS, stop); // a missed answer is asked for again at once
    if (stop.aborted) return 'The connector was stopped.';
    sample();
    missed = await session.ping().then(
      () => 0,
      () => missed + 1,
    );
  }
  return 'The connector stopped answering.';
}

function notRunning(name: string): AppError {
  return new AppError({
    code: 'PLUGIN.UNAVAILABLE',
    kind: 'unavailable',
    source: 'plugin',
    message: `connector ${name} is not running`,
    publicMessage: 'The connector is not running now. The configuration is applied as soon as it is.',
  });
}
