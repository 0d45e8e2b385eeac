import { moduleSchema } from '@vrsky/contracts/bundle';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import type { RunRequest, RunResponse } from '@vrsky/contracts/run';
import { stageAfter } from '@vrsky/contracts/stages';
import { withTenant } from '@vrsky/db/client';
import { z } from 'zod';
import type { TenantContext } from '../../../server/context.ts';
import { askNode } from '../../../server/run/ask-node.ts';
import { toText } from '../../../server/to-text.ts';
import type { MessagePayloads, PayloadView } from '../types.ts';
import { getMessageRow } from './message-row.ts';

/** Beyond this a payload is cut: nobody reads more in a page. */
const SHOWN_BYTES_MAX = 262_144;

/** What each step made of a message: computed again on a node from the stored input and the very revision it ran with. */
export async function recomputePayloads(ctx: TenantContext, { id }: { id: string }): Promise<MessagePayloads> {
  const { pipeline, input } = await withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const message = await getMessageRow(tx, ctx.tenantId, id);
    const key = { tenantId: ctx.tenantId, pipelineId: message.pipelineId, number: message.revision };
    const revision = await tx.revision.findUniqueOrThrow({ where: { tenantId_pipelineId_number: key } });
    return { pipeline: toRunnable(revision, message.answerOfDestination), input: { seq: Number(message.seq), index: message.idx } };
  });
  if (input.seq === 0) return { ok: false, reason: NOT_KEPT };
  const answer = await askNode(ctx, pipeline, input);
  return answer.ok ? toPayloads(answer) : { ok: false, reason: answer.reason };
}

const NOT_KEPT = 'The stream was full when this answer came, so it went on without being kept beside the others.';

/** With the steps that a message met: those for what comes in, or for the answers of a destination. */
function toRunnable(
  revision: { pipelineId: string; number: number; name: string; spec: string; modules: unknown },
  answerOf: string | null,
): RunRequest['pipeline'] {
  const { steps } = stageAfter(pipelineSpecSchema.parse(JSON.parse(revision.spec)), answerOf);
  return {
    pipelineId: revision.pipelineId,
    name: revision.name,
    revision: revision.number,
    modules: z.array(moduleSchema).parse(revision.modules),
    steps: steps.map(({ id, name, kind }) => ({ id, name, kind })),
  };
}

function toPayloads({ input, steps }: RunResponse & { ok: true }): MessagePayloads {
  return {
    ok: true,
    input: toPayload(input),
    inputHeaders: input.headers,
    steps: steps.map((step) => ({
      id: step.id,
      result: step.result,
      instructions: step.instructions,
      split: step.split ?? null,
      durationUs: step.durationUs,
      output: step.output && toPayload(step.output),
      logs: step.logs,
      reason: step.reason ?? null,
      route: step.route ?? null,
      line: step.line ?? null,
    })),
  };
}

function toPayload({ base64, bytes, contentType }: { base64: string; bytes: number; contentType: string }): PayloadView {
  const content = Buffer.from(base64, 'base64');
  const shown = content.length > SHOWN_BYTES_MAX ? content.subarray(0, wholeCharacters(content, SHOWN_BYTES_MAX)) : content;
  return { text: toText(shown), base64: shown.toString('base64'), bytes, contentType };
}

/** The last place up to `end` that does not cut a UTF-8 character in two. */
function wholeCharacters(bytes: Uint8Array, end: number): number {
  let at = end;
  while (at > end - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
  return at;
}
