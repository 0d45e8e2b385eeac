import { createHash } from 'node:crypto';
import path from 'node:path';
import type { ConnectorEvent } from '@vrsky/contracts/connector-calls';
import type { ConnectorState } from '@vrsky/contracts/node-status';
import { AppError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import { aborted, type Part, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { Reply } from '@vrsky/proto/reply-codec';
import type { ConnectionPlan } from '../core/pipeline-plan.ts';
import type { CallSeat } from './call-ledger.ts';
import type { Confine } from './confinement.ts';
import type { ConnectorCatalog, InstalledConnector } from './connector-catalog.ts';
import { type AckStatus, type ConnectorHost, createConnectorHost, type ReceivedEntry } from './connector-host.ts';
import { type ConnectionCheck, type ConnectionErrors, SEQ_SPAN } from './connector-session.ts';
import { type ProcessView, viewOf } from './process-view.ts';
import type { OutgoingMessage, SendOutcome } from './sends.ts';

/**
 * All connector processes of a node. Those that come with it are shared by all tenants; every other release has a process of its own for
 * each tenant, which is given that tenant's connections and nothing of anybody else's.
 */
export interface ConnectorFleet extends Part {
  /** Set once, before `start`. Entries of a tenant's process that name a connection which is not its own never get here. */
  onReceive(handler: (entries: ReceivedEntry[]) => void): void;
  ack(seq: number, status: AckStatus, options: { messageId: string; retryAfterMs?: number }): void;
  /** Tells what became of an entry whose peer waits; false when its process is gone or does not keep up. */
  reply(seq: number, content: Omit<Reply, 'seq'>): boolean;
  send(message: OutgoingMessage, deadlineMs: number): Promise<SendOutcome>;
  /** Replaces a tenant's connections to connectors of its own; answers a row for each that could not be applied. */
  configureTenant(tenantId: string, connections: readonly ConnectionPlan[]): Promise<ConnectionErrors[]>;
  /** Asks the connector that a connection would get. Throws AppError `PLUGIN.NOT_INSTALLED`, `PLUGIN.UNAVAILABLE` or what a start throws. */
  check(connection: ConnectionPlan, probe: boolean, deadlineMs: number): Promise<ConnectionCheck & { version: string; digest: string }>;
  states(): ConnectorState[];
  /** Every connector process, for the metrics. */
  processes(): ProcessView[];
}

export interface FleetOptions {
  catalog: ConnectorCatalog;
  /** The processes that all tenants share, by connector and role. */
  shared: Readonly<Record<string, Record<ConnectionPlan['role'], ConnectorHost>>>;
  credit: number;
  /** Where each tenant's connectors may keep files, by tenant and connector. */
  dataDir: string;
  /** What a tenant's process is kept in. */
  confine: Confine;
  /** The books of a tenant's connector. */
  openSeat(name: { tenantId: string; connector: string }): CallSeat;
  onEvent(process: { tenantId: string; connector: string; digest: string }, event: Omit<ConnectorEvent, 'atMs'>): void;
  log: Log;
}

interface Slot {
  readonly key: string;
  readonly tenantId: string;
  readonly connector: string;
  /** The digest that was asked for; undefined: the newest. */
  readonly pinned: string | undefined;
  readonly host: ConnectorHost;
  /** The connections whose messages this process may hand over. */
  sources: ReadonlySet<string>;
  generation: number;
}

/** Processes that one tenant may have on one node. */
const PROCESSES_PER_TENANT_MAX = 10;
/** A process that does not start in this time is not waited for: its connections are applied when it does. */
const CONFIGURE_WAIT_MS = 15_000;

export function createConnectorFleet(options: FleetOptions): ConnectorFleet {
  const { catalog, shared, log } = options;
  const slots = new Map<string, Slot>();
  const routes = new Map<string, ConnectorHost>();
  const tenantRoutes = new Map<string, string[]>();
  /** Which host gave out the numbers of a span. */
  const spans = new Map<number, ConnectorHost>();
  const leaving = new Set<Promise<void>>();
  const ended = new AbortController();
  const sharedHosts = [...new Set(Object.values(shared).flatMap((roles) => Object.values(roles)))];
  let onReceive: (entries: ReceivedEntry[]) => void = () => undefined;

  const receiveFrom = (host: ConnectorHost, entries: ReceivedEntry[]): void => {
    const [first] = entries;
    if (first !== undefined) spans.set(Math.floor(first.seq / SEQ_SPAN), host);
    onReceive(entries);
  };
  /** A tenant's process speaks for that tenant's connections and for no others, whatever it says. */
  const receiveOwn = (slot: Slot, entries: ReceivedEntry[]): void => {
    if (entries.every(({ connectionId }) => slot.sources.has(connectionId))) {
      receiveFrom(slot.host, entries);
      return;
    }
    const foreign = entries.filter(({ connectionId }) => !slot.sources.has(connectionId));
    log.warn(
      { tenantId: slot.tenantId, connector: slot.connector, messages: foreign.length },
      'a connector handed over messages for connections that are not its own',
    );
    for (const entry of foreign) slot.host.ack(entry.seq, 'not_found', { messageId: '' });
    receiveFrom(
      slot.host,
      entries.filter(({ connectionId }) => slot.sources.has(connectionId)),
    );
  };

  const openSlot = (key: string, { tenantId, release: pinned, sandboxMinimum }: ConnectionPlan, installed: InstalledConnector): Slot => {
    const { offer, release, manifest } = installed;
    const dataDir = path.join(options.dataDir, folderOf(tenantId), offer.name);
    const seat = options.openSeat({ tenantId, connector: offer.name });
    const host = createConnectorHost({
      name: offer.name,
      tenantId,
      release,
      env: { ...manifest.env, VRSKY_DATA_DIR: dataDir },
      credit: options.credit,
      sandbox: options.confine({ manifest, dataDir, minimum: sandboxMinimum }),
      openCalls: ({ digest }) => seat.open(digest),
      onEvent(event) {
        seat.event(event);
        options.onEvent({ tenantId, connector: offer.name, digest: host.release.digest }, event);
      },
      log,
    });
    const slot: Slot = { key, tenantId, connector: offer.name, pinned, host, sources: new Set(), generation: 0 };
    host.onReceive((entries) => receiveOwn(slot, entries));
    // Its failures are its own: they are in its state, and it is tried again.
    host.start?.(ended.signal).catch(() => undefined);
    host.done.catch((error: unknown) => log.error({ err: error, connector: offer.name, tenantId }, 'a connector is no longer watched'));
    slots.set(key, slot);
    return slot;
  };

  const closeSlot = (slot: Slot): Promise<void> => {
    slots.delete(slot.key);
    for (const [span, host] of spans) if (host === slot.host) spans.delete(span);
    const left = (async () => {
      await Promise.race([slot.host.drain?.(ended.signal), aborted(ended.signal)]).catch((error: unknown) =>
        log.warn({ err: error, connector: slot.connector }, 'a connector that is no longer needed does not drain'),
      );
      await slot.host[Symbol.asyncDispose]();
    })().finally(() => leaving.delete(left));
    leaving.add(left);
    return left;
  };

  const configureSlot = async (slot: Slot, connections: readonly ConnectionPlan[]): Promise<ConnectionErrors[]> => {
    slot.sources = new Set(connections.filter(({ role }) => role === 'source').map(({ connectionId }) => connectionId));
    slot.generation++;
    const over = new AbortController();
    const configured = slot.host.configure(slot.generation, [...connections]);
    configured.catch(() => undefined); // it may come after we stopped waiting: the host keeps the set
    try {
      return (await Promise.race([configured, sleep(CONFIGURE_WAIT_MS, over.signal)])) ?? [];
    } catch (error) {
      if (isAppError(error) && error.code === 'PLUGIN.UNAVAILABLE') return [];
      throw error;
    } finally {
      over.abort();
    }
  };

  const setRoutes = (tenantId: string, connections: readonly { connectionId: string; host: ConnectorHost }[]): void => {
    for (const connectionId of tenantRoutes.get(tenantId) ?? []) routes.delete(connectionId);
    for (const { connectionId, host } of connections) routes.set(connectionId, host);
    if (connections.length === 0) tenantRoutes.delete(tenantId);
    else
      tenantRoutes.set(
        tenantId,
        connections.map(({ connectionId }) => connectionId),
      );
  };

  /** Every tenant's process that follows the newest release goes on with it. */
  const followCatalog = (): void => {
    for (const { connector, pinned, host } of slots.values()) {
      const newest = catalog.find(connector);
      if (pinned === undefined && newest !== null && newest.offer.digest !== host.release.digest) void host.upgrade(newest.release);
    }
  };

  return {
    name: 'connectors',
    async start() {
      for (const host of sharedHosts) host.onReceive((entries) => receiveFrom(host, entries));
      catalog.onChange(followCatalog);
    },
    onReceive(handler) {
      onReceive = handler;
    },
    ack(seq, status, given) {
      spans.get(Math.floor(seq / SEQ_SPAN))?.ack(seq, status, given);
    },
    reply: (seq, content) => spans.get(Math.floor(seq / SEQ_SPAN))?.reply(seq, content) ?? false,
    async send(message, deadlineMs) {
      const host = routes.get(message.connectionId) ?? shared.http?.destination;
      if (host === undefined) throw new Error(`bug: nothing sends for ${message.connectionId}`);
      return host.send(message, deadlineMs);
    },
    async configureTenant(tenantId, connections) {
      const refused: ConnectionErrors[] = [];
      const wanted = new Map<string, { installed: InstalledConnector; connections: ConnectionPlan[] }>();
      for (const connection of connections) {
        const installed = catalog.find(connection.connector, connection.release);
        const key = slotKey(connection);
        const found = wanted.get(key);
        const problem = installed === null ? notInstalled(connection) : roleProblem(installed, connection);
        if (problem !== null || installed === null) refused.push(row(connection, problem ?? ''));
        else if (found !== undefined) found.connections.push(connection);
        else if (wanted.size === PROCESSES_PER_TENANT_MAX)
          refused.push(row(connection, `A tenant has at most ${PROCESSES_PER_TENANT_MAX} connectors on a node.`));
        else wanted.set(key, { installed, connections: [connection] });
      }
      const ours = new Map<string, Slot>();
      for (const [key, { installed, connections: own }] of wanted) {
        try {
          ours.set(key, slots.get(key) ?? openSlot(key, own[0] as ConnectionPlan, installed));
        } catch (error) {
          if (!isAppError(error) || error.code !== 'PLUGIN.SANDBOX') throw error;
          wanted.delete(key);
          refused.push(...own.map((connection) => row(connection, publicMessageOf(error))));
        }
      }
      setRoutes(
        tenantId,
        [...wanted].flatMap(([key, { connections: own }]) => own.map(({ connectionId }) => ({ connectionId, host: (ours.get(key) as Slot).host }))),
      );
      const gone = [...slots.values()].filter((slot) => slot.tenantId === tenantId && !ours.has(slot.key));
      const answers = await Promise.all([...wanted].map(([key, { connections: own }]) => configureSlot(ours.get(key) as Slot, own)));
      for (const slot of gone) void closeSlot(slot);
      return [...refused, ...answers.flat()];
    },
    async check(connection, probe, deadlineMs) {
      const sharedHost = shared[connection.connector]?.[connection.role];
      const host = sharedHost ?? slots.get(slotKey(connection))?.host;
      if (host !== undefined)
        return { ...(await host.check(connection, probe, deadlineMs)), version: host.description?.version ?? '', digest: host.release.digest };
      const installed = catalog.find(connection.connector, connection.release);
      const problem = installed === null ? notInstalled(connection) : roleProblem(installed, connection);
      if (installed === null || problem !== null)
        throw new AppError({
          code: 'PLUGIN.NOT_INSTALLED',
          kind: 'not_found',
          source: 'plugin',
          message: `${connection.connector} as ${connection.role} is not on this node`,
          publicMessage: problem ?? '',
        });
      // Nothing runs for this tenant yet: a process for this question alone, confined as the later one.
      const slot = openSlot(`check/${slotKey(connection)}/${++checks}`, connection, installed);
      try {
        return { ...(await slot.host.check(connection, probe, deadlineMs)), version: installed.offer.version, digest: installed.offer.digest };
      } finally {
        void closeSlot(slot);
      }
    },
    states: () => [...sharedHosts, ...[...slots.values()].map(({ host }) => host)].map((host) => host.state()),
    processes: () => [
      ...Object.entries(shared).flatMap(([connector, roles]) => [...new Set(Object.values(roles))].map((host) => viewOf(connector, host))),
      ...[...slots.values()].map(({ connector, host }) => viewOf(connector, host)),
    ],
    async drain(deadline) {
      await Promise.all([...slots.values()].map(({ host }) => host.drain?.(deadline)));
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await Promise.all([...[...slots.values()].map((slot) => closeSlot(slot)), ...leaving]);
    },
  };
}
let checks = 0;

const slotKey = ({ tenantId, connector, release, sandboxMinimum }: ConnectionPlan): string =>
  [tenantId, connector, release ?? '', ...[...sandboxMinimum].sort()].join('/');

const row = ({ connectionId }: ConnectionPlan, message: string): ConnectionErrors => ({ connectionId, errors: [{ path: '', message }] });

function notInstalled({ connector, release }: ConnectionPlan): string {
  return release === undefined
    ? `The connector ${connector} is not installed on this node.`
    : `The connector ${connector} is not installed on this node in the version that is asked for (${release.slice(0, 19)}…).`;
}

function roleProblem({ offer }: InstalledConnector, { role, replyWithinMs = 0 }: ConnectionPlan): string | null {
  if (!offer.roles.includes(role)) return `The connector ${offer.name} cannot be used as a ${role}.`;
  return replyWithinMs > 0 && !offer.replies ? `The connector ${offer.name} cannot answer its senders with the pipeline’s result.` : null;
}

/** Ids are ours, but a folder's name must stay one whatever they become. */
function folderOf(tenantId: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(tenantId) ? tenantId : createHash('sha256').update(tenantId).digest('hex');
}
