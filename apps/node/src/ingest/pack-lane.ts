import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import { isAppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { joinStamped } from '@vrsky/proto/message-codec';
import { packHeadersOf } from '../core/pack-headers.ts';
import { createPackQueue } from '../core/pack-queue.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Tenant } from '../tenant.ts';
import type { NodeSpan } from '../tracing.ts';
import type { AckStatus, ReplyDesk, Route, SourceAcks } from './ports.ts';

/** One message on its way into the stream. */
export interface Waiting {
  /** The pipeline: a pack holds messages of one. */
  readonly group: string;
  readonly bytes: number;
  readonly seq: number;
  readonly raw: Uint8Array;
  readonly route: Route;
  readonly stamp: { customerId: string; pipelineId: string; messageId: string };
  /** Only while spans are recorded. */
  readonly spans: { receive: NodeSpan; publish: NodeSpan } | null;
}

/**
 * The way of one tenant's messages into its stream. One turn of packs is under way at a time; whatever arrives meanwhile is the
 * next: so the disk decides how many messages share an fsync, and an idle line sends at once.
 */
export interface PackLane {
  /** False when there is no room: the peer shall come again. */
  offer(entry: Waiting): boolean;
  /** Call after the last `offer` of a frame. */
  flush(): void;
  readonly waiting: number;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
}

export interface PackLaneOptions {
  tenant: Tenant;
  acks: SourceAcks;
  replies: ReplyDesk;
  /** What may still wait or be under way, over all tenants of the node. */
  room: { bytes: number };
  metrics: NodeMetrics;
  log: Log;
}

/** A tenant may have this many messages waiting; the connector's credit bounds all tenants together. */
const waitingMessagesMax = limits.sourceCreditMax;
const waitingBytesMax = 16 * limits.packBytesMax;
/** What a peer is told while NATS is away. */
const unavailableRetryMs = 2_000;
const exhaustedRetryMs = 30_000;

export function createPackLane({ tenant, acks, replies, room, metrics, log }: PackLaneOptions): PackLane {
  const queue = createPackQueue<Waiting>();
  const statuses = metrics.intake;
  const label = metrics.tenantLabel(tenant.tenantId);
  let underWay = 0;
  const onIdle: (() => void)[] = [];
  let quietUntilMs = 0;

  const flush = (): void => {
    if (underWay > 0) return;
    const packs = queue.take();
    if (packs.length === 0) {
      for (const resolve of onIdle.splice(0)) resolve();
      return;
    }
    underWay = packs.length;
    for (const pack of packs) void store(pack);
  };

  const store = async (pack: Waiting[]): Promise<void> => {
    const startedMs = performance.now();
    const [{ route, stamp }] = pack as [Waiting];
    const stamps = pack.map((entry) => entry.stamp);
    const answered = pack.filter((entry) => entry.route.replyWithinMs > 0);
    for (const entry of answered) replies.expect(entry.route.tenantId, entry.stamp.messageId, entry.seq, entry.route.replyWithinMs);
    try {
      const headers = packHeadersOf(tenant.stamp, {
        // Ids are made here and now, so the first one is the pack's own.
        msgId: stamp.messageId,
        pipelineId: route.pipelineId,
        revision: route.revision,
        connectionId: route.connectionId,
        messageIds: stamps.map(({ messageId }) => messageId),
      });
      if (answered.length > 0) headers[packHeaders.replyTo] = replies.address;
      const body = joinStamped(pack, stamps);
      if (route.ordered === '') await tenant.bus.publish(subjects.ingest(route.pipelineId), headers, body);
      else await tenant.bus.publish(subjects.ordered(route.pipelineId), { ...headers, [packHeaders.ordered]: route.ordered }, body);
      metrics.packMessages.observe(pack.length);
      metrics.pubAck.observe((performance.now() - startedMs) / 1_000);
      settle(pack, 'stored', 0);
      for (const entry of answered) replies.stored(entry.stamp.messageId);
    } catch (error) {
      const { status, retryAfterMs } = answerTo(error);
      settle(pack, status, retryAfterMs);
      for (const entry of answered) replies.forget(entry.stamp.messageId);
      report(error, pack.length);
    }
    underWay--;
    flush();
  };

  const settle = (pack: Waiting[], status: AckStatus, retryAfterMs: number): void => {
    const options = retryAfterMs > 0 ? { retryAfterMs } : {};
    for (const entry of pack) {
      room.bytes += entry.bytes;
      acks.ack(entry.seq, status, { messageId: entry.stamp.messageId, ...options });
    }
    statuses.inc({ tenant: label, status }, pack.length);
    const atMs = Date.now();
    for (const { spans } of pack) {
      spans?.publish.end(atMs, status === 'stored' ? undefined : status);
      spans?.receive.end(atMs, status === 'stored' ? undefined : status);
    }
  };

  /** Once a second at most: when NATS is away every pack fails. */
  const report = (error: unknown, messages: number): void => {
    const nowMs = performance.now();
    if (nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + 1_000;
    log.warn({ tenantId: tenant.tenantId, messages, err: error }, 'a pack could not be stored; its senders were told so');
  };

  return {
    get waiting() {
      return queue.length;
    },
    offer(entry) {
      if (queue.length >= waitingMessagesMax || queue.bytes + entry.bytes > waitingBytesMax || entry.bytes > room.bytes) return false;
      room.bytes -= entry.bytes;
      queue.push(entry);
      return true;
    },
    flush,
    idle() {
      if (underWay === 0 && queue.length === 0) return Promise.resolve();
      return new Promise((resolve) => onIdle.push(resolve));
    },
  };
}

/** What the peer is told. Whatever we do not know is a trouble of ours, and passes. */
function answerTo(error: unknown): { status: AckStatus; retryAfterMs: number } {
  if (isAppError(error) && error.code === 'BUS.FULL') return { status: 'exhausted', retryAfterMs: exhaustedRetryMs };
  if (isAppError(error) && error.code === 'BUS.TOO_LARGE') return { status: 'too_large', retryAfterMs: 0 };
  return { status: 'unavailable', retryAfterMs: unavailableRetryMs };
}
