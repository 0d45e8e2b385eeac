import { withTenant } from '@vrsky/db/client';
import type { Prisma } from '@vrsky/db/generated/client';
import type { TenantContext } from '../../../server/context.ts';
import type { ListMessagesArgs } from '../schema.ts';
import type { MessageState, MessageSummary, Page } from '../types.ts';
import { readAsOf } from './as-of.ts';
import { parseCursor, toPage } from './page-cursor.ts';

/** The tenant's messages, newest first. */
export async function listMessages(ctx: TenantContext, args: ListMessagesArgs): Promise<Page<MessageSummary>> {
  const where = filterOf(ctx.tenantId, args);
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const asOf = await readAsOf(tx, ctx.tenantId); // before the rows: never claim to know more than was read
    const rows = await tx.message.findMany({ where, select: summarySelect, orderBy: [{ receivedAt: 'desc' }, { id: 'desc' }], take: args.limit + 1 });
    const page = toPage(rows, args.limit, (row) => ({ at: row.receivedAt, id: row.id }));
    return { items: page.rows.map(toSummary), nextCursor: page.nextCursor, asOf };
  });
}

export const summarySelect = {
  id: true,
  pipelineId: true,
  pipeline: { select: { name: true } },
  receivedAt: true,
  state: true,
  reason: true,
  bytes: true,
  attempts: true,
  doneAt: true,
  answerOf: true,
} satisfies Prisma.MessageSelect;

type SummaryRow = Prisma.MessageGetPayload<{ select: typeof summarySelect }>;

export function toSummary(row: SummaryRow): MessageSummary {
  return {
    id: row.id,
    pipelineId: row.pipelineId,
    pipelineName: row.pipeline.name,
    receivedAt: row.receivedAt.toISOString(),
    state: row.state as MessageState,
    reason: row.reason,
    bytes: row.bytes,
    attempts: row.attempts,
    durationMs: row.doneAt ? row.doneAt.getTime() - row.receivedAt.getTime() : null,
    isAnswer: row.answerOf !== null,
  };
}

function filterOf(tenantId: string, args: ListMessagesArgs): Prisma.MessageWhereInput {
  const where: Prisma.MessageWhereInput = { tenantId };
  if (args.pipelineId) where.pipelineId = args.pipelineId;
  if (args.states && args.states.length > 0) where.state = { in: args.states };
  if (args.answerOf !== undefined) where.answerOfDestination = args.answerOf;
  const search = args.search?.toLowerCase();
  if (search) Object.assign(where, /^[0-9a-f]{32}$/.test(search) ? { traceId: search } : { id: { gte: search, lt: `${search}~` } });
  if (args.cursor) {
    const place = parseCursor(args.cursor);
    // The first condition alone is what the index can seek by.
    where.AND = [{ receivedAt: { lte: place.at } }, { OR: [{ receivedAt: { lt: place.at } }, { id: { lt: place.id } }] }];
  }
  return where;
}
