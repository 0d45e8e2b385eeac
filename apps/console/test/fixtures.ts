import { newId } from '@vrsky/contracts/ids';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { StoredDestination } from '../src/features/messages/stored-trail.ts';
import { createPipeline } from '../src/features/pipelines/server/create-pipeline.ts';
import { getPipeline } from '../src/features/pipelines/server/get-pipeline.ts';
import { publishPipeline } from '../src/features/pipelines/server/publish-pipeline.ts';
import { saveDraft } from '../src/features/pipelines/server/save-draft.ts';
import type { Rig, TestTenant } from './rig.ts';

/** A published pipeline without steps, to a destination `out`. */
export async function publishedPipeline(
  { context }: TestTenant,
  name = 'Orders',
  more: { order?: 'strict' } = {},
): Promise<{ id: string; draftVersion: number }> {
  const { id } = await createPipeline(context, { name });
  const { draft, draftVersion } = await getPipeline(context, { id });
  const destination = {
    id: 'out',
    name: 'Out',
    connector: 'http' as const,
    settings: { url: 'http://127.0.0.1:9/', method: 'POST' as const, headers: [], timeoutMs: 1_000 },
    retry: { attempts: 1, initialMs: 50, maxMs: 50 },
    ...more,
  };
  const saved = await saveDraft(context, { id, draftVersion, draft: { ...draft, destinations: [destination] } });
  const result = await publishPipeline(context, { id, draftVersion: saved.draftVersion });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return { id, draftVersion: saved.draftVersion };
}

export interface MessageFacts {
  state?: 'delivered' | 'dead_lettered' | 'filtered' | 'retrying';
  receivedAt?: Date;
  seq?: number;
  dlqSeq?: number;
  destinationId?: string;
}

/** What the projector would have written of one message. */
export async function projectedMessage(rig: Rig, tenant: TestTenant, pipelineId: string, facts: MessageFacts = {}): Promise<string> {
  const { tenantId } = tenant.context;
  const { state = 'delivered', receivedAt = new Date(), destinationId = 'out' } = facts;
  const id = newId('msg', receivedAt.getTime());
  const destinations: StoredDestination[] = [
    {
      id: destinationId,
      state,
      attempts: [
        {
          attempt: 1,
          nodeId: 'nod_1',
          state,
          atMs: receivedAt.getTime() + 2,
          startedAtMs: receivedAt.getTime(),
          durationUs: 1_500,
          peerStatus: 500,
          code: 'http_500',
          reason: 'The receiver answered 500.',
        },
      ],
    },
  ];
  await withTenant(rig.platformDb, tenantId, async (tx: TenantTx) => {
    await tx.message.create({
      data: {
        tenantId,
        id,
        pipelineId,
        revision: 1,
        receivedAt,
        storedAt: receivedAt,
        state,
        reason: state === 'dead_lettered' ? 'The receiver answered 500.' : null,
        bytes: 2,
        contentType: 'application/json',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        seq: facts.seq ?? 1,
        idx: 0,
        steps: [],
        destinations: destinations as never,
        attempts: 1,
        doneAt: new Date(receivedAt.getTime() + 12),
      },
    });
    if (state === 'dead_lettered') {
      await tx.deadLetter.create({
        data: {
          tenantId,
          messageId: id,
          destinationId,
          pipelineId,
          revision: 1,
          receivedAt,
          at: receivedAt,
          attempts: 1,
          code: 'http_500',
          reason: 'The receiver answered 500.',
          peerStatus: 500,
          dlqSeq: facts.dlqSeq ?? null,
        },
      });
    }
  });
  return id;
}
