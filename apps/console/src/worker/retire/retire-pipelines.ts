import type { BusAdmin, TenantAccount } from '@vrsky/bus/admin';
import { consumePacks, type StoredPack } from '@vrsky/bus/consumer';
import { findConsumerState } from '@vrsky/bus/consumer-state';
import { createStreamPublisher, type StreamPublisher } from '@vrsky/bus/publisher';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { consumerNames, streamNames, subjects } from '@vrsky/contracts/subjects';
import type { Db } from '@vrsky/db/client';
import { describeError } from '@vrsky/kernel/errors';
import { every, sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { openTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import type { KeyEncryptionKey } from '../../server/platform.ts';
import { expirePack, type RetiredPipeline } from './expire-pack.ts';

export interface RetireOptions {
  db: Db;
  bus: BusAdmin;
  kek: KeyEncryptionKey;
  log: Log;
  /** How long nothing must come before a pipeline counts as empty: longer than a dead node's packs stay with it. */
  idleMs?: number;
}

const EVERY_MS = 5_000;
const AT_A_TIME = 5;
const PACKS_MAX = 64;
const IDLE_MS = limits.ackWaitMs + 5_000;

/**
 * Settles what deleted pipelines left undelivered, once no node runs them any more: every message that was accepted comes to an outcome,
 * here `expired`. Then their consumers go. Each step may be done again: the trail merges what it hears twice.
 */
export async function runRetirement(options: RetireOptions, stop: AbortSignal): Promise<void> {
  const { log } = options;
  const retireDue = async (): Promise<void> => {
    const due = await findDue(options);
    await Promise.all(due.map((pipeline) => retire(options, pipeline, stop)));
  };
  await every(EVERY_MS, retireDue, stop, (error) => log.warn({ reason: describeError(error) }, 'deleted pipelines could not be retired, trying again'));
}

type Due = RetiredPipeline & { account: TenantAccount };

/** Deleted, and every node that could still run it has applied a bundle without it. A node that is gone is not waited for. */
async function findDue({ db, kek }: RetireOptions): Promise<Due[]> {
  const { rows } = await db.pool.query<{ tenantId: string; pipelineId: string; revision: number; spec: string; accountSeed: Buffer; accountKek: string }>(
    `SELECT p.tenant_id AS "tenantId", p.id AS "pipelineId", r.number AS revision, r.spec, t.account_seed AS "accountSeed", t.account_kek AS "accountKek"
     FROM pipeline p
     JOIN tenant t ON t.id = p.tenant_id
     JOIN revision r ON r.tenant_id = p.tenant_id AND r.pipeline_id = p.id AND r.number = p.published_revision
     WHERE p.deleted_at IS NOT NULL AND p.retired_at IS NULL AND NOT EXISTS (
       SELECT 1 FROM node n LEFT JOIN node_report s ON s.node_id = n.id AND s.tenant_id = p.tenant_id
       WHERE n.pool = t.pool AND n.removed_at IS NULL AND NOT n.stopping AND n.lease_at > now() - $1 * interval '1 millisecond'
         AND ((s.applied ->> 'epoch')::int, (s.applied ->> 'generation')::bigint) >= (p.published_epoch, p.published_generation) IS NOT TRUE)
     ORDER BY p.deleted_at LIMIT ${AT_A_TIME}`,
    [limits.leaseGoneMs],
  );
  return rows.map(({ tenantId, pipelineId, revision, spec, ...sealed }) => ({
    tenantId,
    pipelineId,
    revision,
    destinations: pipelineSpecSchema.parse(JSON.parse(spec)).destinations,
    account: openTenantAccount(kek, { id: tenantId, ...sealed }),
  }));
}

async function retire({ db, bus, log, idleMs = IDLE_MS }: RetireOptions, pipeline: Due, stop: AbortSignal): Promise<void> {
  const { tenantId, pipelineId, account } = pipeline;
  await bus.releaseRetries(account, pipelineId);
  const nc = await bus.tenant(account);
  const publisher = createStreamPublisher(nc, { timeoutMs: limits.pubAckWaitMs });
  let heardMs = performance.now();
  let expired = 0;
  const ordered = { stream: streamNames.ingest, consumer: consumerNames.ordered(pipelineId) };
  const hasOrdered = (await findConsumerState(nc, ordered.stream, ordered.consumer)) !== null;
  const open = [
    { stream: streamNames.ingest, consumer: consumerNames.pipeline(pipelineId) },
    { stream: streamNames.retry, consumer: consumerNames.retry(pipelineId) },
    ...(hasOrdered ? [ordered] : []),
  ].map(({ stream, consumer }) =>
    consumePacks(nc, {
      stream,
      consumer,
      maxPacks: PACKS_MAX,
      onPack: (pack) => {
        heardMs = performance.now();
        void expire({ publisher, pipeline, consumer, log }, pack).then((messages) => {
          expired += messages;
        });
      },
      onError: (error) => {
        // Until the stream can be read again, silence says nothing.
        heardMs = performance.now();
        log.info({ tenantId, pipelineId, reason: describeError(error) }, 'a deleted pipeline is read again in a moment');
      },
    }),
  );
  try {
    while (!stop.aborted && performance.now() - heardMs < idleMs) await sleep(Math.min(idleMs, 500), stop);
  } finally {
    await Promise.all(open.map((consumer) => consumer.stop()));
    publisher.close();
  }
  if (stop.aborted) return;
  await bus.removePipelineConsumer(account, pipelineId);
  await db.pool.query('UPDATE pipeline SET retired_at = now() WHERE tenant_id = $1 AND id = $2', [tenantId, pipelineId]);
  log.info({ tenantId, pipelineId, expired }, 'a deleted pipeline is retired');
}

interface Expiry {
  publisher: StreamPublisher;
  pipeline: RetiredPipeline;
  consumer: string;
  log: Log;
}

/** Into the trail, and only then acknowledged. Resolves with the number of messages. */
async function expire({ publisher, pipeline, consumer, log }: Expiry, pack: StoredPack): Promise<number> {
  try {
    const isOrdered = consumer === consumerNames.ordered(pipeline.pipelineId);
    const record = expirePack(pipeline, { pack, isOrdered }, Date.now());
    const headers = {
      [packHeaders.msgId]: `expired:${consumer}:${pack.seq}:${pack.storedAtMs}`,
      [packHeaders.pack]: String(record.messages.length),
    };
    if (record.messages.length > 0) await publisher.publish(subjects.trail(pipeline.pipelineId), headers, Buffer.from(JSON.stringify(record)));
    pack.ack();
    return record.messages.length;
  } catch (error) {
    const isUnreadable = error instanceof Error && error.name === 'WireError';
    log[isUnreadable ? 'error' : 'warn'](
      { pipelineId: pipeline.pipelineId, consumer, seq: pack.seq, reason: describeError(error) },
      'a pack of a deleted pipeline was not settled',
    );
    if (isUnreadable) pack.ack();
    else pack.nak(1_000);
    return 0;
  }
}
