import type { ConnectorEvent } from '@vrsky/contracts/connector-calls';
import type { ConnectorState } from '@vrsky/contracts/node-status';
import { AppError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import { aborted, type Part, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { PluginLogRecord } from '@vrsky/plugin/plugin-log';
import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import type { RawEntry } from '@vrsky/proto/message-codec';
import type { ProcessCalls } from './call-ledger.ts';
import {
  type Breakdown,
  type ConnectionCheck,
  type ConnectionErrors,
  type ConnectorConnection,
  type ConnectorDescription,
  type ConnectorSession,
  openSession,
} from './connector-session.ts';
import { type ConnectorTimes, connectorTimes } from './connector-times.ts';
import { findProcessStats, type ProcessStats } from './process-stats.ts';
import { countUnwrittenIds, findRefusedRequests, type RefusedRequests } from './refused-requests.ts';
import type { Release } from './release-store.ts';
import { createRestartPolicy } from './restart-policy.ts';
import { createSends, type OutgoingMessage, type SendOutcome, type Sends } from './sends.ts';

export type ReceivedEntry = RawEntry;
export type AckStatus = 'stored' | 'unavailable' | 'exhausted' | 'too_large' | 'not_found';

export interface ConnectorHostOptions {
  /** For logs and the node's page: `http source`. */
  name: string;
  /** Whose process it is; null for one that all tenants share. */
  tenantId: string | null;
  release: Release;
  /** Its whole environment, beside what every plugin gets; ours is not passed on. Never secrets. */
  env: Record<string, string>;
  /** What it is kept in; left out, it runs as the node's own user. */
  sandbox?: Sandbox | undefined;
  /** How many messages it may hand over beyond those acknowledged. */
  credit: number;
  /** Opens the books of a process that is about to be started. */
  openCalls?(release: Release): ProcessCalls;
  /** A turn in its life, in words for the customer. */
  onEvent?(event: Omit<ConnectorEvent, 'atMs'>): void;
  log: Log;
  /** Where other times than `connectorTimes` are wanted. */
  times?: Partial<ConnectorTimes>;
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
   * Goes on with another release: the new process is started and looks at the connections first, then the old one ends what it has
   * in hand, then the new one takes over. When it does not start or refuses a connection that runs, the old one goes on, and the host
   * says so (an event, and `state().reason`). Resolves when it is decided, with whether the new release runs.
   */
  upgrade(release: Release): Promise<boolean>;
  /**
   * Delivers one message. Never rejects: a connector that is away or late is an outcome. Late is one that gives the connection no
   * result at all for `deadlineMs`; a message behind a slow receiver may take longer.
   */
  send(message: OutgoingMessage, deadlineMs: number): Promise<SendOutcome>;
  /** What the connector makes of a connection. Rejects AppError `PLUGIN.UNAVAILABLE` when it does not run. */
  check(connection: ConnectorConnection, probe: boolean, deadlineMs: number): Promise<ConnectionCheck>;
  /** The release that runs, or is to run. */
  readonly release: Release;
  /** What it said about itself when it was last started; null before that. */
  readonly description: ConnectorDescription | null;
  state(): ConnectorState;
  stats(): ConnectorStats;
}

export interface ConnectorStats {
  /** From launch to handshake, of the last start; 0 before it. */
  handshakeMs: number;
  sendsInFlight: number;
  /** Messages that wait for a process to come up. */
  sendsWaiting: number;
  /** Results that answered nothing: unknown messages, a second time, past the deadline. */
  strays: Sends['strays'];
  /** Bytes of its log that were left out since the node was started. */
  logBytesDropped: number;
  /** Ids of senders that it could not bring to disk, since the node was started. */
  unwrittenIds: number;
  /** Of the process that runs; empty when none does. */
  processId: string;
}

const PINGS_MISSED_MAX = 2;
const EXPIRE_EVERY_MS = 100;
const IDLE_LOOK_MS = 20;
const NO_STATS: ProcessStats = { cpuSeconds: 0, rssBytes: 0 };

interface DesiredSet {
  generation: number;
  connections: ConnectorConnection[];
}

interface Upgrade {
  release: Release;
  decided: PromiseWithResolvers<boolean>;
}

/** Creates the supervisor of one connector. `start` resolves when the connector serves, and rejects when it fails again and again. */
export function createConnectorHost(options: ConnectorHostOptions): ConnectorHost {
  const { name, log } = options;
  const times: ConnectorTimes = { ...connectorTimes, ...options.times };
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
  let desired: DesiredSet | null = null;
  /** The last answer to a set, and whose it was. */
  let applied: { to: ConnectorSession; set: DesiredSet; errors: ConnectionErrors[] } | null = null;
  let expiry: NodeJS.Timeout | undefined;
  let { release } = options;
  let upgrade: Upgrade | null = null;
  let upgradeAsked = Promise.withResolvers<void>();

  let starts = 0;
  let state: ConnectorState['state'] = 'stopped';
  let reason: string | undefined;
  let reasonCode: string | undefined;
  let description: ConnectorDescription | null = null;
  let handshakeMs = 0;
  let logBytesDropped = 0;
  let unwrittenIds = 0;
  /** CPU of processes that are gone. */
  let pastCpuSeconds = 0;
  let lastStats = NO_STATS;

  const tell = (kind: ConnectorEvent['kind'], text: string): void => options.onEvent?.({ kind, version: description?.version ?? '', reason: text });

  const sampleStats = (): ProcessStats => {
    if (session !== null) lastStats = findProcessStats(session.pid) ?? lastStats;
    return lastStats;
  };
  const bookStats = (): void => {
    sampleStats();
    pastCpuSeconds += lastStats.cpuSeconds;
    lastStats = NO_STATS;
  };

  /** A connector speaks for connections that it was given, and for no others. */
  const bookRefused = (calls: ProcessCalls | undefined, { connectionId, reasons }: RefusedRequests): void => {
    const connection = desired?.connections.find((one) => one.connectionId === connectionId && one.role === 'source');
    if (connection === undefined) return;
    const [pipelineId = '', sourceId = ''] = connectionId.split('/');
    calls?.refusedRequests(connection.tenantId, { pipelineId, sourceId, title: connection.title ?? connectionId }, reasons);
  };

  const open = async (of: Release, isSuccessor = false): Promise<ConnectorSession> => {
    const calls = options.openCalls?.(of);
    try {
      return await openSession({
        executable: await of.stage(),
        env: options.env,
        sandbox: options.sandbox && { ...options.sandbox, isSuccessor },
        times,
        calls,
        onReceive: (entries) => onReceive(entries),
        onResults: sends.settle,
        onLog: ({ level, message, module, fields, dropped = 0 }: PluginLogRecord) => {
          logBytesDropped += dropped;
          const refused = findRefusedRequests(fields);
          if (refused !== null) bookRefused(calls, refused);
          unwrittenIds += countUnwrittenIds(fields);
          log[level]({ plugin: { name, module, fields } }, message);
        },
      });
    } catch (error) {
      calls?.end();
      throw error;
    }
  };

  const apply = async (to: ConnectorSession, set: DesiredSet): Promise<ConnectionErrors[]> => {
    const errors = await to.configure(set.generation, set.connections);
    applied = { to, set, errors };
    return errors;
  };

  /** Configures a new process, opens its streams and lets the messages go. */
  const bringUp = async (current: ConnectorSession): Promise<void> => {
    if (desired !== null) await apply(current, desired);
    current.openStreams(options.credit);
    sends.open({ write: current.send, stray: current.stray, unanswered: current.unanswered });
    session = current;
    state = 'running';
    reason = undefined;
    reasonCode = undefined;
    description = current.description;
    handshakeMs = current.handshakeMs;
    log.info({ connector: name, version: description.version, pid: current.pid, handshakeMs: Math.round(handshakeMs) }, 'the connector is up');
    next.resolve(current);
    up.resolve();
  };

  /** A process of the new release that accepts what the old one runs; null when there is none, and then it is said why. */
  const openCandidate = async (wanted: Release): Promise<ConnectorSession | null> => {
    let candidate: ConnectorSession | null = null;
    try {
      candidate = await open(wanted, true);
      for (const connection of desired?.connections ?? []) {
        const { errors } = await candidate.check(connection, false, times.callMs);
        if (errors[0] === undefined) continue;
        refuseUpgrade(`Version ${candidate.description.version} does not accept the settings of ${connection.connectionId}: ${errors[0].message}`);
        await candidate.kill();
        return null;
      }
      return candidate;
    } catch (error) {
      log.error({ err: error, connector: name, release: wanted.digest }, 'the new release of a connector did not start');
      refuseUpgrade(`The new version did not start: ${publicMessageOf(error)}`);
      await candidate?.kill();
      return null;
    }
  };
  const refuseUpgrade = (why: string): void => {
    reason = `${why} The version before it goes on.`;
    reasonCode = 'PLUGIN.UPGRADE_REFUSED';
    tell('refused', reason);
  };

  /** Lets the old process end what it has in hand, as long as that takes less than the bound. */
  const finish = async (old: ConnectorSession): Promise<void> => {
    const deadline = AbortSignal.any([AbortSignal.timeout(times.upgradeDrainMs), disposed.signal]);
    let isGone = false;
    void old.broken.then(() => {
      isGone = true;
    });
    await Promise.race([old.drain(times.upgradeDrainMs), old.broken, aborted(deadline)]).catch((error: unknown) =>
      log.warn({ connector: name, err: error }, 'the old release does not drain; it is ended with what it has in hand'),
    );
    while (!isGone && !deadline.aborted && (sends.inFlight > 0 || old.unacked > 0)) await sleep(IDLE_LOOK_MS, deadline);
    await old.close();
  };

  /** Answers the process that runs from now on: the new one, or still the old. Throws when the new one fails after the old has gone. */
  const takeOver = async (old: ConnectorSession, { release: wanted, decided }: Upgrade): Promise<ConnectorSession> => {
    const candidate = await openCandidate(wanted);
    if (candidate === null) {
      decided.resolve(false);
      return old;
    }
    const from = old.description.version;
    sends.hold('The connector is being upgraded.');
    await finish(old);
    bookStats();
    session = null;
    next = Promise.withResolvers();
    sends.close('The connector was upgraded while it had this message in hand.');
    const before = release;
    release = wanted;
    try {
      await candidate.takeDataDir();
      await bringUp(candidate);
    } catch (error) {
      release = before;
      refuseUpgrade(`The new version did not take its configuration: ${publicMessageOf(error)}`);
      decided.resolve(false);
      await candidate.kill();
      throw error;
    }
    tell('upgraded', `Upgraded from ${from} to ${candidate.description.version}; what was in hand was ended first.`);
    decided.resolve(true);
    return candidate;
  };

  /** One process after the other, as long as each hands over to the next. Answers why the last one ended. */
  const runOnce = async (stop: AbortSignal): Promise<Breakdown> => {
    let current: ConnectorSession | null = null;
    try {
      current = await open(release);
      await bringUp(current);
      tell('started', starts === 1 ? 'The connector was started.' : 'The connector was started again.');
      for (;;) {
        const over = new AbortController();
        const watch = { pingEveryMs: times.pingEveryMs, sample: sampleStats };
        const end = await Promise.race([untilBroken(current, AbortSignal.any([stop, over.signal]), watch), upgradeAsked.promise]);
        over.abort();
        if (end !== undefined) return end;
        const asked = upgrade;
        upgrade = null;
        upgradeAsked = Promise.withResolvers();
        if (asked !== null) current = await takeOver(current, asked);
      }
    } catch (error) {
      log.error({ err: error, connector: name }, 'the connector did not start');
      const end = await Promise.race([current?.broken, sleep(GONE_WAIT_MS)]);
      return { code: isAppError(error) ? error.code : 'PLUGIN.START', reason: [publicMessageOf(error), end?.reason].filter(Boolean).join(' ') };
    } finally {
      // From now on messages wait for the next process, also while this one is being ended.
      sends.hold('The connector is being started again.');
      state = 'restarting';
      bookStats();
      session = null;
      next = Promise.withResolvers();
      if (stop.aborted) await current?.close();
      else await current?.kill();
    }
  };

  const supervise = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      state = starts === 0 ? 'starting' : 'restarting';
      starts++;
      const startedMs = performance.now();
      const { code, reason: cause } = await runOnce(stop);
      if (stop.aborted) break;
      const { delayMs, isOpen } = restarts.ended(performance.now() - startedMs);
      state = isOpen ? 'stopped' : 'restarting';
      reason = isOpen ? `${cause} It failed again and again; the next try is in ${delayMs / 1_000} s.` : cause;
      reasonCode = code;
      sends.close(cause);
      tell(isOpen ? 'paused' : 'ended', reason);
      log.warn({ connector: name, code, cause, delayMs, restarts: starts }, 'the connector is gone and will be started again');
      if (isOpen)
        up.reject(
          new AppError({
            code: 'PLUGIN.UNAVAILABLE',
            kind: 'unavailable',
            source: 'plugin',
            message: `connector ${name}: ${code}: ${cause}`,
            publicMessage: cause,
          }),
        );
      // A new release is worth a try at once: it may be the cure.
      await Promise.race([sleep(delayMs, stop), upgradeAsked.promise]);
      takeRelease();
    }
    state = 'stopped';
    upgrade?.decided.resolve(false);
  };
  /** While no process runs there is nothing to hand over. */
  const takeRelease = (): void => {
    if (upgrade === null) return;
    release = upgrade.release;
    upgrade.decided.resolve(true);
    upgrade = null;
    upgradeAsked = Promise.withResolvers();
  };

  return {
    name: `connector ${name}`,
    done: done.promise,
    get release() {
      return release;
    },
    get description() {
      return description;
    },
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
      const deadline = AbortSignal.timeout(times.configureWaitMs);
      for (;;) {
        const current = session ?? (await Promise.race([next.promise, aborted(deadline)]));
        if (current === undefined) throw notRunning(name);
        try {
          // What is wanted now: after a wait that may be newer than what was asked for, and the older set is never applied alone.
          return applied?.to === current && applied.set === desired ? applied.errors : await apply(current, desired);
        } catch (cause) {
          // A process that died under the call is no answer; the next one is asked.
          const isGone = await Promise.race([current.broken.then(() => true), sleep(GONE_WAIT_MS).then(() => false)]);
          if (!isGone) throw cause;
          if (session === current) await sleep(GONE_WAIT_MS); // until the supervisor has seen it too
          if (deadline.aborted) throw notRunning(name);
        }
      }
    },
    upgrade(wanted) {
      upgrade?.decided.resolve(false); // a still newer one came before it was looked at
      upgrade = { release: wanted, decided: Promise.withResolvers<boolean>() };
      upgradeAsked.resolve();
      return upgrade.decided.promise;
    },
    send: sends.send,
    async check(connection, probe, deadlineMs) {
      const deadline = AbortSignal.timeout(deadlineMs);
      const current = session ?? (await Promise.race([next.promise, aborted(deadline)]));
      if (current === undefined) throw notRunning(name, reason);
      return current.check(connection, probe, deadlineMs);
    },
    state() {
      const { cpuSeconds, rssBytes } = sampleStats();
      return {
        name,
        version: description?.version ?? '',
        digest: release.digest,
        tenantId: options.tenantId,
        state,
        sandbox: [...(session?.layers ?? [])],
        pid: session?.pid ?? null,
        restarts: Math.max(0, starts - 1),
        cpuSeconds: pastCpuSeconds + cpuSeconds,
        rssBytes,
        ...(reason === undefined ? {} : { reason, reasonCode }),
      };
    },
    stats: () => ({
      handshakeMs,
      sendsInFlight: sends.inFlight,
      sendsWaiting: sends.waiting,
      strays: sends.strays,
      logBytesDropped,
      unwrittenIds,
      processId: session?.processId ?? '',
    }),
    async drain(deadline) {
      await Promise.race([session?.drain(times.drainMs), aborted(deadline)]);
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
const GONE_WAIT_MS = 500;

interface Watch {
  pingEveryMs: number;
  sample(): void;
}

/** Watches one process until it is gone, broken, deaf, or to be stopped. */
async function untilBroken(session: ConnectorSession, stop: AbortSignal, watch: Watch): Promise<Breakdown> {
  const over = new AbortController();
  try {
    return await Promise.race([session.broken, untilDeaf(session, AbortSignal.any([stop, over.signal]), watch)]);
  } finally {
    over.abort();
  }
}

async function untilDeaf(session: ConnectorSession, stop: AbortSignal, { pingEveryMs, sample }: Watch): Promise<Breakdown> {
  let missed = 0;
  let isUnhealthy = false;
  while (missed < PINGS_MISSED_MAX) {
    if (missed === 0) await sleep(pingEveryMs, stop); // a missed answer is asked for again at once
    if (stop.aborted) return { code: 'PLUGIN.STOPPED', reason: 'The connector was stopped.' };
    sample();
    missed = await session.ping().then(
      () => 0,
      (error: unknown) => {
        isUnhealthy = isAppError(error) && error.code === 'PLUGIN.UNHEALTHY';
        return missed + 1;
      },
    );
  }
  if (isUnhealthy) return { code: 'PLUGIN.UNHEALTHY', reason: 'The connector says that it cannot work now.' };
  return { code: 'PLUGIN.DEAF', reason: 'The connector stopped answering.' };
}

function notRunning(name: string, reason?: string): AppError {
  return new AppError({
    code: 'PLUGIN.UNAVAILABLE',
    kind: 'unavailable',
    source: 'plugin',
    message: `connector ${name} is not running`,
    publicMessage: reason ?? 'The connector is not running now. The configuration is applied as soon as it is.',
  });
}
