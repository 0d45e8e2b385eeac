import { randomUUID } from 'node:crypto';
import type { CallTally, ConnectorCalls, ConnectorEvent, SourceRefusal } from '@vrsky/contracts/connector-calls';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import { describeError } from '@vrsky/kernel/errors';
import { every, type Part, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { type CallCounter, type CallRecorder, createCallCounters } from '@vrsky/plugin/call-gate';

/** One start of a connector, as the ledger names it. */
export interface ProcessName {
  /** Unique for each start. */
  processId: string;
  connector: string;
  version: string;
  digest: string;
  /** Whose process it is; null for one that tenants share. */
  tenantId: string | null;
}

/** What one process is asked and does. Counting a message costs a few additions. */
export interface ProcessCalls {
  readonly processId: string;
  /** For `openPlugin`: counts every call. */
  readonly calls: CallRecorder;
  /** One message passed: `sent` to the connector or `received` from it, of this tenant, with so many bytes. */
  attribute(direction: 'sent' | 'received', tenantId: string, bytes: number): void;
  /** Whose connections it has now: they hear of its events and of the calls that are for all. */
  serves(tenantIds: ReadonlySet<string>): void;
  /** A turn in its life, in words for the customer. */
  event(kind: ConnectorEvent['kind'], reason: string, version?: string): void;
  /** A source of this tenant refused requests: how many for each reason. Only this tenant hears of it. */
  refusedRequests(tenantId: string, source: RefusingSource, reasons: Readonly<Record<string, number>>): void;
  /** Which version it turned out to be. */
  named(version: string): void;
  /** It is gone; what was counted is still sent. */
  end(): void;
}

/** A source that refused requests. */
export interface RefusingSource {
  pipelineId: string;
  sourceId: string;
  /** What people call it. */
  title: string;
}

/** The books of one connector over all its starts and releases. */
export interface CallSeat {
  /** For a process that is about to be started. */
  open(digest: string): ProcessCalls;
  /** Of the process that was started last. */
  event(event: Omit<ConnectorEvent, 'atMs'>): void;
}

export interface CallLedger extends Part {
  process(name: ProcessName): ProcessCalls;
  seat(name: Pick<ProcessName, 'connector' | 'tenantId'>): CallSeat;
  /** Tells `onMessages` what passed since it was last told. */
  settle(): void;
  /** For metrics. */
  stats(): LedgerStats;
}

export interface LedgerStats {
  /** Records that wait for NATS. */
  waiting: number;
  /** Records that were given up: too old, or too many. */
  dropped: number;
}

export interface CallLedgerOptions {
  nodeId: string;
  /** Stores a record in the tenant's stream; rejects when NATS is away. */
  publish(tenantId: string, record: ConnectorCalls): Promise<void>;
  log: Log;
  /** Hears of every call that ends, for metrics. */
  onCall?(process: ProcessName, method: string, status: string, durationUs: number): void;
  onRefused?(process: ProcessName, method: string): void;
  onRefusedRequests?(process: ProcessName, tenantId: string, reason: string, count: number): void;
  /** Hears now and then how many messages passed, and from `settle`; never of a single one. */
  onMessages?(process: ProcessName, direction: 'sent' | 'received', count: number): void;
  flushEveryMs?: number;
  /** What was refused is told sooner than the rest: somebody may be setting a sender up. */
  tellRefusedEveryMs?: number;
  nowMs?(): number;
}

const FLUSH_EVERY_MS = 10_000;
const TELL_REFUSED_EVERY_MS = 1_000;
const MINUTE_MS = 60_000;
/** How long records wait for NATS, and how many. */
const KEEP_MS = 3_600_000;
const WAITING_MAX = 20_000;
const PUBLISHES_AT_ONCE = 32;
const EVENTS_MAX = 64;
/** Of one minute, that are one tenant's alone. */
const OWN_EVENTS_MAX = 16;
/** Sources whose refusals are kept apart until they are written. */
const REFUSING_SOURCES_MAX = 1_000;
/** Sources and reasons of one tenant in one minute that are counted apart. */
const REFUSALS_MAX = 256;
const REFUSED_COUNT_MAX = 2_000_000_000;
const REASON_CHARS_MAX = 1_000;
const VERSION_CHARS_MAX = 64;
const SET_BACK_MS = 300_000;
const DRAIN_MS = 2_000;
const DRAIN_LOOK_MS = 200;

const SEND = '/vrsky.connector.v1.Connector/Send';
const RECEIVE = '/vrsky.connector.v1.Connector/Receive';
/** Asked every few seconds: alone it is no news. */
const HEALTH = '/grpc.health.v1.Health/Check';

/**
 * Keeps the books of what connectors are asked, by process and minute, and brings them to the tenants' trails: every few seconds while
 * there is news, and at the minute's end. What NATS does not take waits within bounds; the oldest goes first.
 */
export function createCallLedger(options: CallLedgerOptions): CallLedger {
  const { nodeId, log, nowMs = Date.now, flushEveryMs = FLUSH_EVERY_MS, tellRefusedEveryMs = TELL_REFUSED_EVERY_MS } = options;
  const minuteOf = (): number => Math.floor(nowMs() / MINUTE_MS) * MINUTE_MS;
  const ended = new AbortController();
  const books = new Set<Book>();
  /** The newest record of each tenant, process and minute that is not stored yet, oldest first. */
  const waiting = new Map<string, ConnectorCalls>();
  let minuteMs = minuteOf();
  let dropped = 0;
  let running: Promise<unknown>[] = [];

  const put = (record: ConnectorCalls): void => {
    const key = `${record.minuteMs} ${record.processId} ${record.tenantId}`;
    waiting.delete(key);
    waiting.set(key, record);
  };
  const write = (what: Told): void => {
    for (const book of books) {
      book.settle();
      for (const record of book.write(nodeId, minuteMs, what)) put(record);
    }
  };
  /** Closes the minute when it is over. A clock that was set back a little does not open an old minute again. */
  const turn = (): void => {
    const now = minuteOf();
    if (now <= minuteMs && now > minuteMs - SET_BACK_MS) return;
    write('all');
    for (const book of books) {
      book.turn();
      if (book.isClosed) books.delete(book);
    }
    minuteMs = now;
  };
  const shed = (): void => {
    const before = dropped;
    const oldestMs = nowMs() - KEEP_MS;
    for (const [key, record] of waiting) {
      if (record.minuteMs >= oldestMs && waiting.size <= WAITING_MAX) break;
      waiting.delete(key);
      dropped++;
    }
    if (dropped > before) log.warn({ records: dropped - before }, 'NATS was away for too long: the oldest records of connector calls were given up');
  };
  const publish = async (): Promise<void> => {
    const failed = new Map<string, unknown>();
    const queue = [...waiting];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [key, record] = next;
        // A tenant whose account cannot be reached is asked again the next time, not once for each record.
        if (failed.has(record.tenantId)) continue;
        try {
          await options.publish(record.tenantId, record);
          if (waiting.get(key) === record) waiting.delete(key);
        } catch (error) {
          failed.set(record.tenantId, error);
        }
      }
    };
    await Promise.all(Array.from({ length: PUBLISHES_AT_ONCE }, work));
    for (const [tenantId, error] of failed) log.debug({ tenantId, reason: describeError(error) }, 'records of connector calls wait for NATS');
  };
  let flushing: Promise<void> | null = null;
  const flush = (): Promise<void> => {
    flushing ??= (async () => {
      shed();
      await publish();
    })().finally(() => {
      flushing = null;
    });
    return flushing;
  };
  const open = (name: ProcessName): Book => {
    const book = new Book(name, options);
    books.add(book);
    return book;
  };
  const onError = (error: unknown): void => log.error({ err: error }, 'the records of connector calls could not be written');

  return {
    name: 'call ledger',
    async start() {
      running = [
        every(
          flushEveryMs,
          async () => {
            turn();
            write('news');
            await flush();
          },
          ended.signal,
          onError,
        ),
        every(
          tellRefusedEveryMs,
          async () => {
            if (![...books].some((book) => book.hasRefused)) return;
            turn();
            write('refused');
            await flush();
          },
          ended.signal,
          onError,
        ),
        atEachMinute(nowMs, ended.signal, turn),
      ];
    },
    process(name) {
      turn();
      return open(name);
    },
    seat({ connector, tenantId }) {
      let last: Book | null = null;
      return {
        open(digest) {
          turn();
          last = open({ processId: randomUUID(), connector, version: '', digest, tenantId });
          return last;
        },
        event({ kind, reason, version }) {
          if (last === null) return;
          books.add(last); // it may have ended in an earlier minute
          last.event(kind, reason, version);
        },
      };
    },
    settle() {
      for (const book of books) book.settle();
    },
    stats: () => ({ waiting: waiting.size, dropped }),
    async drain(deadline) {
      turn();
      write('all');
      // The rest of the node waits behind this: what NATS does not take now is given up.
      const end = AbortSignal.any([deadline, AbortSignal.timeout(DRAIN_MS)]);
      while (waiting.size > 0 && !end.aborted) {
        await flush();
        if (waiting.size > 0) await sleep(DRAIN_LOOK_MS, end);
      }
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await Promise.all(running);
      await flushing;
      if (waiting.size > 0) log.warn({ records: waiting.size }, 'the node ends with records of connector calls that NATS did not take');
    },
  };
}

/** A record as it goes into the stream. A second sending of the same revision is the same message. */
export function encodeCalls(record: ConnectorCalls): { subject: string; headers: Record<string, string>; body: Uint8Array } {
  return {
    subject: subjects.calls(record.nodeId),
    headers: {
      [packHeaders.msgId]: `calls:${record.processId}:${record.minuteMs}:${record.revision}`,
      [packHeaders.customerId]: record.tenantId,
      [packHeaders.pack]: '1',
    },
    body: Buffer.from(JSON.stringify(record)),
  };
}

async function atEachMinute(nowMs: () => number, stop: AbortSignal, work: () => void): Promise<void> {
  while (!stop.aborted) {
    await sleep(MINUTE_MS - (nowMs() % MINUTE_MS) + 1, stop);
    if (!stop.aborted) work();
  }
}

/** What passed of one tenant's messages in this minute. */
interface Share {
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
}

/** Everything, what is worth a record before the minute is over, or only of tenants whose sources refused something since. */
type Told = 'all' | 'news' | 'refused';

/** Requests that one source refused and no event has told yet. */
interface RefusedRequests {
  tenantId: string;
  title: string;
  reasons: Map<string, number>;
}

/** One process's books: what has been counted in all, what it was at the minute's begin, and whose messages they were. */
class Book implements ProcessCalls {
  readonly #name: ProcessName;
  readonly #options: CallLedgerOptions;
  readonly #counters: ReturnType<typeof createCallCounters>;
  readonly #before = new Map<string, CallCounter>();
  readonly processId: string;
  readonly calls: CallRecorder;
  readonly #shares = new Map<string, Share>();
  readonly #revisions = new Map<string, { revision: number; weight: number }>();
  readonly #passed = { sent: 0, received: 0 };
  #tenants: ReadonlySet<string> = new Set();
  /** Only ever appended to in a minute: an event is stored under its place. `tenantId` is null for what everybody hears. */
  #events: { tenantId: string | null; event: ConnectorEvent }[] = [];
  readonly #refused = new Map<string, RefusedRequests>();
  /** By tenant, what its sources refused in this minute: by source and reason. */
  readonly #refusals = new Map<string, Map<string, SourceRefusal>>();
  /** Tenants with refusals that are in no record yet. */
  readonly #untold = new Set<string>();
  /** Sources that an event of this minute speaks of. */
  readonly #refusing = new Set<string>();
  isClosed = false;

  constructor(name: ProcessName, options: CallLedgerOptions) {
    this.#name = { ...name };
    this.processId = name.processId;
    this.#options = options;
    if (name.tenantId !== null) this.#tenants = new Set([name.tenantId]);
    this.#counters = createCallCounters({
      ended: (method, status, durationUs) => options.onCall?.(this.#name, method, status, durationUs),
      refused: (method) => {
        options.onRefused?.(this.#name, method);
        this.event('refused', `The node refused a call to the connector that is not on its list (${method.slice(0, METHOD_CHARS_SHOWN)}). Nothing was sent.`);
      },
    });
    this.calls = this.#counters;
  }

  attribute(direction: 'sent' | 'received', tenantId: string, bytes: number): void {
    this.#passed[direction]++;
    let share = this.#shares.get(tenantId);
    if (share === undefined) {
      // A process of one tenant carries nobody else's messages; what claims so is in nobody's books.
      if (tenantId === '' || (this.#name.tenantId !== null && this.#name.tenantId !== tenantId)) return;
      share = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
      this.#shares.set(tenantId, share);
    }
    if (direction === 'sent') {
      share.sent++;
      share.sentBytes += bytes;
    } else {
      share.received++;
      share.receivedBytes += bytes;
    }
  }

  serves(tenantIds: ReadonlySet<string>): void {
    if (this.#name.tenantId === null) this.#tenants = new Set(tenantIds);
  }

  event(kind: ConnectorEvent['kind'], reason: string, version?: string): void {
    this.#tell(null, EVENTS_MAX, kind, reason, version);
  }

  get hasRefused(): boolean {
    return this.#untold.size > 0;
  }

  refusedRequests(tenantId: string, source: RefusingSource, reasons: Readonly<Record<string, number>>): void {
    const key = `${tenantId} ${source.pipelineId}/${source.sourceId}`;
    const known = this.#refused.get(key) ?? { tenantId, title: source.title, reasons: new Map<string, number>() };
    if (this.#refused.size < REFUSING_SOURCES_MAX) this.#refused.set(key, known);
    for (const [reason, count] of Object.entries(reasons)) {
      known.reasons.set(reason, (known.reasons.get(reason) ?? 0) + count);
      this.#count(tenantId, source, reason, count);
      this.#options.onRefusedRequests?.(this.#name, tenantId, reason, count);
    }
  }

  #count(tenantId: string, { pipelineId, sourceId }: RefusingSource, reason: string, count: number): void {
    const rows = this.#refusals.get(tenantId) ?? new Map<string, SourceRefusal>();
    const key = `${pipelineId}/${sourceId} ${reason}`;
    const row = rows.get(key);
    if (row === undefined && rows.size >= REFUSALS_MAX) return;
    const atMs = (this.#options.nowMs ?? Date.now)();
    rows.set(key, { pipelineId, sourceId, reason, count: Math.min((row?.count ?? 0) + count, REFUSED_COUNT_MAX), atMs });
    this.#refusals.set(tenantId, rows);
    this.#untold.add(tenantId);
  }

  #tell(tenantId: string | null, max: number, kind: ConnectorEvent['kind'], reason: string, version?: string): void {
    const text = reason.slice(0, REASON_CHARS_MAX);
    const theirs = this.#events.filter((row) => row.tenantId === tenantId);
    // The same again in the same minute says nothing new, and a plugin must not fill the books.
    if (theirs.length >= max || theirs.some(({ event }) => event.kind === kind && event.reason === text)) return;
    const atMs = (this.#options.nowMs ?? Date.now)();
    this.#events.push({ tenantId, event: { atMs, kind, version: version?.slice(0, VERSION_CHARS_MAX) || this.#name.version, reason: text } });
  }

  /** The first of a minute are told at once, so that whoever sets a sender up sees them; the rest together when the minute ends. */
  #tellRefused(what: Told): void {
    for (const [key, { tenantId, title, reasons }] of this.#refused) {
      if (what !== 'all' && this.#refusing.has(key)) continue;
      this.#refused.delete(key);
      this.#tell(tenantId, OWN_EVENTS_MAX, 'refused', refusedWords(title, reasons, this.#refusing.has(key)));
      this.#refusing.add(key);
    }
  }

  named(version: string): void {
    this.#name.version = version.slice(0, VERSION_CHARS_MAX);
  }

  end(): void {
    this.isClosed = true;
  }

  settle(): void {
    for (const direction of ['sent', 'received'] as const) {
      const count = this.#passed[direction];
      this.#passed[direction] = 0;
      if (count > 0) this.#options.onMessages?.(this.#name, direction, count);
    }
  }

  /** The records of this minute that say more than those before them; `news` leaves out that the process is well. */
  write(nodeId: string, minuteMs: number, what: Told): ConnectorCalls[] {
    this.#tellRefused(what);
    const deltas = this.#counters.list().flatMap((counter) => deltaOf(counter, this.#before.get(counter.method)) ?? []);
    const common = sharedTallies(deltas, undefined);
    const records: ConnectorCalls[] = [];
    const tenants = what === 'refused' ? new Set(this.#untold) : new Set([...this.#tenants, ...this.#shares.keys(), ...this.#untold]);
    this.#untold.clear();
    for (const tenantId of tenants) {
      const isOwn = this.#name.tenantId === tenantId;
      const share = this.#shares.get(tenantId);
      const methods = isOwn ? ownTallies(deltas, share) : share === undefined ? common : sharedTallies(deltas, share);
      const events = this.#events.flatMap((row) => (row.tenantId === null || row.tenantId === tenantId ? [row.event] : [])).slice(0, EVENTS_MAX);
      const refusals = [...(this.#refusals.get(tenantId)?.values() ?? [])];
      const isNews = events.length + refusals.length > 0 || methods.some(({ method }) => method !== HEALTH);
      // That a process is well is worth a line a minute to its own tenant, and nothing to those who share it.
      if (!isNews && !(isOwn && what === 'all' && methods.length > 0)) continue;
      const known = this.#revisions.get(tenantId) ?? { revision: 0, weight: 0 };
      const weight = weightOf(what === 'all' ? methods : methods.filter(({ method }) => method !== HEALTH)) + events.length + sumOf(refusals);
      if (weight <= known.weight) continue;
      const revision = known.revision + 1;
      this.#revisions.set(tenantId, { revision, weight });
      const { processId, connector, version, digest } = this.#name;
      records.push({
        ...{ v: 1, nodeId, tenantId, connector, version, digest, processId, shared: this.#name.tenantId === null },
        ...{ minuteMs, revision, methods, events },
        ...(refusals.length > 0 && { refusals }),
      });
    }
    return records;
  }

  turn(): void {
    for (const counter of this.#counters.list()) {
      this.#before.set(counter.method, { ...counter, results: { ...counter.results } });
      counter.maxUs = 0;
    }
    this.#shares.clear();
    this.#revisions.clear();
    this.#events = [];
    this.#refusing.clear();
    this.#refusals.clear();
  }
}

/** For the customer: how many, of which source, and why, most first. The reasons are the codes that the senders were answered with. */
function refusedWords(source: string, reasons: ReadonlyMap<string, number>, isMore: boolean): string {
  const sorted = [...reasons].sort(([, a], [, b]) => b - a);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const why = sorted.map(([reason, count]) => `${reason.replaceAll('_', ' ')} (${count})`).join(', ');
  const requests = `${total}${isMore ? ' more' : ''} ${total === 1 ? 'request' : 'requests'}`;
  return `${source} refused ${requests}: ${why}. The sender was told why; nothing was taken in.`;
}
const METHOD_CHARS_SHOWN = 100;

function sumOf(refusals: readonly SourceRefusal[]): number {
  return refusals.reduce((sum, { count }) => sum + count, 0);
}

/** Grows with everything that is counted: two records of a minute that weigh the same say the same. */
function weightOf(methods: readonly CallTally[]): number {
  let weight = 0;
  for (const { calls, refused, results, requestBytes, responseBytes, sent, received } of methods) {
    weight += calls + refused + requestBytes + responseBytes + sent + received;
    for (const status in results) weight += results[status] ?? 0;
  }
  return weight;
}

/** What came since; null when nothing did. */
function deltaOf(now: CallCounter, before: CallCounter | undefined): CallTally | null {
  const tally: CallTally = {
    method: now.method,
    calls: now.calls - (before?.calls ?? 0),
    refused: now.refused - (before?.refused ?? 0),
    results: {},
    requestBytes: now.requestBytes - (before?.requestBytes ?? 0),
    responseBytes: now.responseBytes - (before?.responseBytes ?? 0),
    sent: 0,
    received: 0,
    totalUs: now.totalUs - (before?.totalUs ?? 0),
    maxUs: now.maxUs,
  };
  for (const [status, count] of Object.entries(now.results)) {
    const since = count - (before?.results[status] ?? 0);
    if (since > 0) tally.results[status] = since;
  }
  const isSilent = tally.calls + tally.refused + tally.requestBytes + tally.responseBytes === 0 && Object.keys(tally.results).length === 0;
  return isSilent ? null : tally;
}

/** A tenant's own process: everything that went over the line. */
function ownTallies(deltas: readonly CallTally[], share: Share | undefined): CallTally[] {
  return deltas.map((tally) => {
    if (tally.method === SEND) return { ...tally, sent: share?.sent ?? 0 };
    return tally.method === RECEIVE ? { ...tally, received: share?.received ?? 0 } : tally;
  });
}

/**
 * A process that others share: of its calls that they were made, how they ended and how long they took, but no sizes, which are the
 * sum of what everybody has; of its streams this tenant's messages alone.
 */
function sharedTallies(deltas: readonly CallTally[], share: Share | undefined): CallTally[] {
  const tallies = deltas.map((tally) => ({ ...tally, requestBytes: 0, responseBytes: 0 })).filter(hasCalls);
  const add = (method: string, rest: Partial<CallTally>): void => {
    const found = tallies.find((tally) => tally.method === method);
    if (found) Object.assign(found, rest);
    else tallies.push({ ...emptyTally(method), ...rest });
  };
  if (share !== undefined && share.sent > 0) add(SEND, { sent: share.sent, requestBytes: share.sentBytes });
  if (share !== undefined && share.received > 0) add(RECEIVE, { received: share.received, responseBytes: share.receivedBytes });
  return tallies;
}

function hasCalls({ calls, refused, results }: CallTally): boolean {
  return calls + refused > 0 || Object.keys(results).length > 0;
}

function emptyTally(method: string): CallTally {
  return { method, calls: 0, refused: 0, results: {}, requestBytes: 0, responseBytes: 0, sent: 0, received: 0, totalUs: 0, maxUs: 0 };
}
