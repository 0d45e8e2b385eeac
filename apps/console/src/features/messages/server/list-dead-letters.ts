import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import type { Prisma } from '@vrsky/db/generated/client';
import type { TenantContext } from '../../../server/context.ts';
import type { ListDeadLettersArgs } from '../schema.ts';
import type { DeadLetterView, Page } from '../types.ts';
import { readAsOf } from './as-of.ts';
import { parseCursor, toPage } from './page-cursor.ts';

/** What could not be delivered, newest first. */
export async function listDeadLetters(ctx: TenantContext, args: ListDeadLettersArgs): Promise<Page<DeadLetterView>> {
  const where: Prisma.DeadLetterWhereInput = {
    tenantId: ctx.tenantId,
    ...(args.pipelineId ? { pipelineId: args.pipelineId } : {}),
    ...(args.cursor ? olderThan(args.cursor) : {}),
  };
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const asOf = await readAsOf(tx, ctx.tenantId);
    const rows = await tx.deadLetter.findMany({
      where,
      include: { pipeline: { select: { name: true } } },
      orderBy: [{ at: 'desc' }, { messageId: 'desc' }, { destinationId: 'desc' }],
      take: args.limit + 1,
    });
    const page = toPage(rows, args.limit, (row) => ({ at: row.at, id: `${row.messageId}/${row.destinationId}` }));
    const names = await readDestinationNames(tx, ctx.tenantId, page.rows);
    const items = page.rows.map((row) => ({
      messageId: row.messageId,
      destinationId: row.destinationId,
      destinationName: names.get(`${row.pipelineId} ${row.revision} ${row.destinationId}`) ?? row.destinationId,
      pipelineId: row.pipelineId,
      pipelineName: row.pipeline.name,
      at: row.at.toISOString(),
      attempts: row.attempts,
      code: row.code,
      reason: row.reason,
      peerStatus: row.peerStatus,
      resentAt: row.resentAt?.toISOString() ?? null,
      resentAs: row.resentAs,
    }));
    return { items, nextCursor: page.nextCursor, asOf };
  });
}

function olderThan(cursor: string): Prisma.DeadLetterWhereInput {
  const { at, id } = parseCursor(cursor);
  const [messageId = '', destinationId = ''] = id.split('/');
  return { AND: [{ at: { lte: at } }, { OR: [{ at: { lt: at } }, { messageId: { lt: messageId } }, { messageId, destinationId: { lt: destinationId } }] }] };
}

/** As the destinations were called in the revision that gave up; a handful of revisions covers a page. */
async function readDestinationNames(tx: TenantTx, tenantId: string, rows: { pipelineId: string; revision: number }[]): Promise<Map<string, string>> {
  const wanted = new Map(rows.map(({ pipelineId, revision }) => [`${pipelineId} ${revision}`, { pipelineId, number: revision }]));
  const names = new Map<string, string>();
  if (wanted.size === 0) return names;
  const revisions = await tx.revision.findMany({ where: { tenantId, OR: [...wanted.values()] }, select: { pipelineId: true, number: true, spec: true } });
  for (const { pipelineId, number, spec } of revisions) {
    for (const { id, name } of pipelineSpecSchema.parse(JSON.parse(spec)).destinations) names.set(`${pipelineId} ${number} ${id}`, name);
  }
  return names;
}
