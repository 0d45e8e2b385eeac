import { newId } from '@vrsky/contracts/ids';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { subjects } from '@vrsky/contracts/subjects';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { decodeMessage, encodeMessage, joinEntries, stampEntry } from '@vrsky/proto/message-codec';
import { formatOrdered, headerText, packHeadersOf } from '../core/pack-headers.ts';
import type { PipelinePlan } from '../core/pipeline-plan.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Tenant } from '../tenant.ts';
import { type NodeSpan, SpanKind, type Tracing } from '../tracing.ts';
import { createPackLane, type PackLane, type Waiting } from './pack-lane.ts';
import type { AckStatus, ReceivedEntry, ReplyDesk, Route, SourceAcks } from './ports.ts';

/** From a source connector into the tenant's stream. Nothing is answered as stored before the server's PubAck. */
export interface Intake extends Part {
  receive(entries: readonly ReceivedEntry[]): void;
  /** Replaces what this tenant's connections lead to. */
  set(tenant: Tenant, plans: readonly PipelinePlan[]): void;
  remove(tenantId: string): void;
  waiting(): number;
}

export interface IntakeOptions {
  acks: SourceAcks;
  replies: ReplyDesk;
  metrics: NodeMetrics;
  tracing: Tracing;
  log: Log;
}

/** Over all tenants, so that one node's memory is bounded however many there are. */
const waitingBytesMax = 64 * 1_048_576;
/** Beside the payload: headers and ids. */
const entryOverheadBytesMax = 131_072;
const stoppingRetryMs = 1_000;

interface Lane {
  readonly tenant: Tenant;
  readonly pack: PackLane;
  readonly label: string;
}

export function createIntake({ acks, replies, metrics, tracing, log }: IntakeOptions): Intake {
  const lanes = new Map<string, Lane>();
  const byConnection = new Map<string, { lane: Lane; route: Route }>();
  const room = { bytes: waitingBytesMax };
  let isStopping = false;

  const receive = (entries: readonly ReceivedEntry[]): void => {
    const touched = new Set<Lane>();
    const nowMs = Date.now();
    for (const entry of entries) {
      const found = byConnection.get(entry.connectionId);
      if (found === undefined) refuse(entry, '_none', 'not_found');
      else if (entry.customerId !== '' && entry.customerId !== found.route.tenantId) void quarantine(entry, found.lane, found.route);
      else if (entry.raw.length > limits.payloadBytesMax + entryOverheadBytesMax) refuse(entry, found.lane.label, 'too_large');
      else if (isStopping) refuse(entry, found.lane.label, 'unavailable');
      else if (!found.lane.pack.offer(toWaiting(entry, found.route, nowMs))) refuse(entry, found.lane.label, 'unavailable');
      else touched.add(found.lane);
    }
    for (const lane of touched) lane.pack.flush();
  };

  const toWaiting = (entry: ReceivedEntry, route: Route, nowMs: number): Waiting => {
    const stamp = { customerId: route.tenantId, pipelineId: route.pipelineId, messageId: newId('msg', nowMs) };
    const traced = tracing.isRecording ? trace(entry, stamp.messageId, nowMs) : { raw: entry.raw, spans: null };
    return { group: route.pipelineId, bytes: entry.raw.length, seq: entry.seq, route, stamp, ...traced };
  };

  /** The entry then carries the publish span, so that its processing hangs below it. */
  const trace = (entry: ReceivedEntry, messageId: string, nowMs: number): { raw: Uint8Array; spans: { receive: NodeSpan; publish: NodeSpan } } => {
    const message = decodeMessage(entry.raw);
    const receivedMs = message.receivedAtUs > 0 ? message.receivedAtUs / 1_000 : nowMs;
    const span = tracing.start('receive', SpanKind.SERVER, message, receivedMs, {
      'vrsky.message.id': messageId,
      'vrsky.connection': entry.connectionId,
      'messaging.message.body.size': message.payload.length,
    });
    const publish = span.child('publish', SpanKind.PRODUCER, nowMs, {
      'messaging.system': 'nats',
      'messaging.operation.type': 'send',
      'messaging.message.id': messageId,
    });
    return { raw: Buffer.concat([entry.raw, encodeMessage({ traceparent: publish.traceparent })]), spans: { receive: span, publish } };
  };

  const refuse = (entry: ReceivedEntry, tenant: string, status: AckStatus): void => {
    acks.ack(entry.seq, status, status === 'unavailable' ? { messageId: '', retryAfterMs: stoppingRetryMs } : { messageId: '' });
    metrics.intake.inc({ tenant, status });
  };

  /** A connector that names another tenant is broken or lies: the message goes no further, and somebody looks at it. */
  const quarantine = async (entry: ReceivedEntry, { tenant, label }: Lane, route: Route): Promise<void> => {
    refuse(entry, label, 'not_found');
    metrics.quarantined.inc({ tenant: label, hop: 'intake' });
    const messageId = newId('msg');
    log.error(
      { tenantId: route.tenantId, pipelineId: route.pipelineId, connectionId: route.connectionId, messageId },
      "a connector handed over a message in another tenant's name: it was set aside",
    );
    const headers = packHeadersOf(tenant.stamp, {
      msgId: messageId,
      pipelineId: route.pipelineId,
      revision: route.revision,
      connectionId: route.connectionId,
      messageIds: [messageId],
    });
    const reason = {
      [packHeaders.reasonCode]: 'foreign_customer_id',
      [packHeaders.reason]: headerText(
        `The connector named ${entry.customerId.slice(0, 80)} as the Customer-ID of a message that came in for ${route.tenantId}.`,
      ),
    };
    const body = joinEntries([stampEntry(entry.raw, { customerId: route.tenantId, pipelineId: route.pipelineId, messageId })]);
    await tenant.bus
      .publish(subjects.quarantine(route.pipelineId), { ...headers, ...reason }, body)
      .catch((error: unknown) => log.error({ err: error, messageId }, 'the message could not be kept in quarantine'));
  };

  const removeRoutes = (tenantId: string): void => {
    for (const [connectionId, { route }] of byConnection) if (route.tenantId === tenantId) byConnection.delete(connectionId);
  };

  return {
    name: 'intake',
    receive,
    set(tenant, plans) {
      const existing = lanes.get(tenant.tenantId);
      const lane =
        existing?.tenant === tenant
          ? existing
          : { tenant, pack: createPackLane({ tenant, acks, replies, room, metrics, log }), label: metrics.tenantLabel(tenant.tenantId) };
      lanes.set(tenant.tenantId, lane);
      removeRoutes(tenant.tenantId);
      for (const plan of plans) {
        byConnection.set(plan.sourceConnectionId, {
          lane,
          route: {
            tenantId: tenant.tenantId,
            pipelineId: plan.pipelineId,
            revision: plan.revision,
            connectionId: plan.sourceConnectionId,
            replyWithinMs: plan.reply?.withinMs ?? 0,
            ordered: formatOrdered(plan.stages.get('')?.destinations ?? []),
          },
        });
      }
    },
    remove(tenantId) {
      removeRoutes(tenantId);
      lanes.delete(tenantId);
    },
    waiting() {
      let waiting = 0;
      for (const { pack } of lanes.values()) waiting += pack.waiting;
      return waiting;
    },
    async drain() {
      isStopping = true;
      await Promise.all([...lanes.values()].map(({ pack }) => pack.idle()));
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
    },
  };
}
