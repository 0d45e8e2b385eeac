import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { listMessages } from '../../messages/server/list-messages.ts';
import { listNodes } from '../../nodes/server/list-nodes.ts';
import { listPipelines } from '../../pipelines/server/list-pipelines.ts';
import type { MinutePoint, PipelineSummary } from '../../pipelines/types.ts';
import type { OverviewView } from '../types.ts';

const NEWEST = 10;
const DAY_MS = 86_400_000;

/** What runs, how much, and what needs somebody: the first page. */
export async function getOverview(ctx: TenantContext): Promise<OverviewView> {
  const [pipelines, nodes, newest, deadLettersLastDay] = await Promise.all([
    listPipelines(ctx),
    listNodes(ctx),
    listMessages(ctx, { limit: NEWEST }),
    countDeadLetters(ctx),
  ]);
  return { pipelines, nodes, perMinute: sumMinutes(pipelines), newest: newest.items, deadLettersLastDay, asOf: newest.asOf };
}

function countDeadLetters(ctx: TenantContext): Promise<number> {
  const since = new Date(Date.now() - DAY_MS);
  return withTenant(ctx.db, ctx.tenantId, (tx) => tx.deadLetter.count({ where: { tenantId: ctx.tenantId, at: { gte: since } } }));
}

/** All pipelines together, minute by minute. */
export function sumMinutes(pipelines: Pick<PipelineSummary, 'perMinute'>[]): MinutePoint[] {
  const sums = new Map<string, MinutePoint>();
  for (const { perMinute } of pipelines) {
    for (const point of perMinute) {
      const sum = sums.get(point.at) ?? { at: point.at, delivered: 0, filtered: 0, deadLettered: 0, retrying: 0 };
      sum.delivered += point.delivered;
      sum.filtered += point.filtered;
      sum.deadLettered += point.deadLettered;
      sum.retrying += point.retrying;
      sums.set(point.at, sum);
    }
  }
  return [...sums.values()].sort((a, b) => (a.at < b.at ? -1 : 1));
}
