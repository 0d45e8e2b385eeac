import { ask } from '@vrsky/bus/connect';
import { type RunRequest, type RunResponse, runRequestSchema, runResponseSchema } from '@vrsky/contracts/run';
import { signEnvelope } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import { withTenant } from '@vrsky/db/client';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { getTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import { getBus } from '../bus.ts';
import type { TenantContext } from '../context.ts';

const WAIT_MS = 10_000;

/**
 * Asks any node of the tenant's pool, in the tenant's account, to run steps on one message and to show what each made of it. The
 * request is signed, since a node runs only what it can verify. A node that does not answer is an answer too (`ok: false`): the page says so.
 */
export async function askNode(ctx: TenantContext, pipeline: RunRequest['pipeline'], input: RunRequest['input']): Promise<RunResponse> {
  const { pool } = await withTenant(ctx.db, ctx.tenantId, (tx) => tx.tenant.findUniqueOrThrow({ where: { id: ctx.tenantId }, select: { pool: true } }));
  const request: RunRequest = runRequestSchema.parse({ v: 1, tenantId: ctx.tenantId, pool, issuedAtMs: Date.now(), pipeline, input });
  const envelope = signEnvelope('run', JSON.stringify(request), ctx.platform.bundleKey);
  try {
    const nc = await getBus(ctx.platform).tenant(await getTenantAccount(ctx));
    const answer = await ask(nc, subjects.run(pool), JSON.stringify(envelope), WAIT_MS);
    return parseAnswer(answer.text);
  } catch (error) {
    if (isAppError(error) && (error.kind === 'unavailable' || error.kind === 'timeout'))
      return {
        ok: false,
        code: 'RUN.NO_NODE',
        reason: 'No node answers at the moment. Messages that are on their way stay stored; try again in a few seconds.',
      };
    throw error;
  }
}

function parseAnswer(text: string): RunResponse {
  const parsed = runResponseSchema.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new AppError({ code: 'RUN.ANSWER_INVALID', kind: 'internal', message: `a node's answer has the wrong shape: ${parsed.error.message}` });
  return parsed.data;
}
