import { createStreamPublisher } from '@vrsky/bus/publisher';
import { getStored } from '@vrsky/bus/stored';
import { newId } from '@vrsky/contracts/ids';
import { limits } from '@vrsky/contracts/limits';
import { packHeaders } from '@vrsky/contracts/message-headers';
import type { DestinationSpec } from '@vrsky/contracts/pipeline-spec';
import { packProof } from '@vrsky/contracts/proof';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { type TenantTx, withTenant } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { decodeBatch, encodeBatch } from '@vrsky/proto/message-codec';
import { getBus } from '../../../server/bus.ts';
import type { TenantContext } from '../../../server/context.ts';
import { deriveProofKey, getTenantAccount } from '../../tenancy/server/tenant-account.ts';

/** A second click, or a client that tries again, within this time gets the first one's message and sends nothing. */
const DOUBLE_CLICK_MS = 10_000;

/**
 * Sends a dead letter again, to the one destination it was for, as a new message that names the old one. It runs the revision that
 * is published now. Stored first and recorded after: should the record fail, the message goes out and may be sent once more.
 */
export async function resendDeadLetter(
  ctx: TenantContext,
  { messageId, destinationId }: { messageId: string; destinationId: string },
): Promise<{ messageId: string }> {
  const account = await getTenantAccount(ctx);
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const letter = await lockDeadLetter(tx, messageId, destinationId);
    if (letter.resentAs && letter.sinceResentMs !== null && letter.sinceResentMs < DOUBLE_CLICK_MS) return { messageId: letter.resentAs };
    const again = newId('msg');
    await store(ctx, letter, again, await (await getBus(ctx.platform)).tenant(account));
    await tx.$executeRaw`UPDATE dead_letter SET resent_at = now(), resent_as = ${again} WHERE message_id = ${messageId} AND destination_id = ${destinationId}`;
    return { messageId: again };
  });
}

interface Letter {
  pipelineId: string;
  destinationId: string;
  dlqSeq: bigint | null;
  resentAs: string | null;
  sinceResentMs: number | null;
  publishedRevision: number | null;
  deletedAt: Date | null;
  /** Of the revision that is published now. */
  destinations: Pick<DestinationSpec, 'id' | 'order'>[] | null;
}

/** Locked until the end of the transaction: two people who press the button are one after the other. */
async function lockDeadLetter(tx: TenantTx, messageId: string, destinationId: string): Promise<Letter> {
  const [letter] = await tx.$queryRaw<Letter[]>`
    SELECT d.pipeline_id AS "pipelineId", d.destination_id AS "destinationId", d.dlq_seq AS "dlqSeq", d.resent_as AS "resentAs",
      (extract(epoch FROM clock_timestamp() - d.resent_at) * 1000)::float8 AS "sinceResentMs", p.published_revision AS "publishedRevision", p.deleted_at AS "deletedAt",
      r.spec::json -> 'destinations' AS destinations
    FROM dead_letter d JOIN pipeline p ON p.tenant_id = d.tenant_id AND p.id = d.pipeline_id
    LEFT JOIN revision r ON r.tenant_id = p.tenant_id AND r.pipeline_id = p.id AND r.number = p.published_revision
    WHERE d.message_id = ${messageId} AND d.destination_id = ${destinationId} FOR UPDATE OF d`;
  if (!letter)
    throw new AppError({
      code: 'DEAD_LETTER.NOT_FOUND',
      kind: 'not_found',
      message: `no dead letter ${messageId} for ${destinationId}`,
      publicMessage: 'There is no dead letter of this message and destination.',
    });
  if (letter.deletedAt || letter.publishedRevision === null) {
    throw new AppError({
      code: 'PIPELINE.NOT_RUNNING',
      kind: 'precondition',
      message: `pipeline ${letter.pipelineId} is not published any more`,
      publicMessage: 'The pipeline of this message no longer runs, so nothing would take it.',
    });
  }
  return letter;
}

async function store(ctx: TenantContext, letter: Letter, messageId: string, nc: Awaited<ReturnType<ReturnType<typeof getBus>['tenant']>>): Promise<void> {
  const stored = letter.dlqSeq === null ? null : await getStored(nc, streamNames.dlq, Number(letter.dlqSeq));
  const [entry] = stored ? decodeBatch(stored.data) : [];
  if (!stored || !entry)
    throw new AppError({
      code: 'DEAD_LETTER.EXPIRED',
      kind: 'precondition',
      message: `entry ${letter.dlqSeq} is no longer in the stream`,
      publicMessage: 'The content of this dead letter is no longer kept, so it cannot be sent again.',
    });

  const { tenantId } = ctx;
  const { pipelineId, destinationId } = letter;
  const headers = {
    [packHeaders.msgId]: messageId,
    [packHeaders.customerId]: tenantId,
    [packHeaders.pipeline]: pipelineId,
    [packHeaders.revision]: String(letter.publishedRevision),
    [packHeaders.connection]: stored.headers[packHeaders.connection] ?? entry.connectionId,
    [packHeaders.pack]: '1',
    [packHeaders.mixed]: '0',
    [packHeaders.proof]: packProof(deriveProofKey(ctx.platform.kek, tenantId), tenantId, pipelineId, [messageId]),
    [packHeaders.attempt]: '0',
    [packHeaders.destination]: destinationId,
    [packHeaders.replayOf]: String(letter.dlqSeq),
    // Of an answer: what takes it is decided by whose answer it is.
    ...pickHeaders(stored.headers, [packHeaders.answerOf, packHeaders.answerTo]),
  };
  const body = encodeBatch([{ ...entry, customerId: tenantId, pipelineId, messageId, destinationId, attempt: 0, receivedAtUs: Date.now() * 1_000 }]);
  const publisher = createStreamPublisher(nc, { timeoutMs: limits.pubAckWaitMs });
  try {
    // In strict order it goes behind those that wait.
    const isStrict = letter.destinations?.some(({ id, order }) => id === destinationId && order === 'strict') ?? false;
    if (isStrict) await publisher.publish(subjects.orderedResend(pipelineId), { ...headers, [packHeaders.ordered]: destinationId }, body);
    else await publisher.publish(subjects.resend(pipelineId), headers, body);
  } finally {
    publisher.close();
  }
}

function pickHeaders(headers: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}
