import { ask } from '@vrsky/bus/connect';
import { type ConnectorRequest, type ConnectorResponse, connectorRequestSchema, connectorResponseSchema } from '@vrsky/contracts/connector-request';
import { signEnvelope } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import { withTenant } from '@vrsky/db/client';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { getTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import { getBus } from '../bus.ts';
import type { TenantContext } from '../context.ts';

export type ConnectorQuestion = Pick<ConnectorRequest, 'connector' | 'release' | 'role' | 'settings' | 'probe'>;

/** A node that lacks the release says so; with several nodes in a pool, another one may have it. */
const ASK_MAX = 4;
const NOT_INSTALLED = 'PLUGIN.NOT_INSTALLED';

/**
 * Asks any node of the tenant's pool, in the tenant's account, to have a connector look at settings, for `waitMs` at most. The request is
 * signed, since a node runs only what it can verify. That nobody answers is an answer too (`ok: false`) with a sentence for the page.
 */
export async function askConnector(ctx: TenantContext, question: ConnectorQuestion, waitMs: number): Promise<ConnectorResponse> {
  const { pool, sandboxMinimum } = await withTenant(ctx.db, ctx.tenantId, (tx) =>
    tx.tenant.findUniqueOrThrow({ where: { id: ctx.tenantId }, select: { pool: true, sandboxMinimum: true } }),
  );
  const startedMs = performance.now();
  try {
    const nc = await getBus(ctx.platform).tenant(await getTenantAccount(ctx));
    let answer: ConnectorResponse | null = null;
    for (let asked = 0; asked < ASK_MAX && (answer === null || (!answer.ok && answer.code === NOT_INSTALLED)); asked++) {
      const request: ConnectorRequest = connectorRequestSchema.parse({
        v: 1,
        tenantId: ctx.tenantId,
        pool,
        issuedAtMs: Date.now(),
        sandboxMinimum,
        ...question,
      });
      const envelope = signEnvelope('connector', JSON.stringify(request), ctx.platform.bundleKey);
      const leftMs = waitMs - (performance.now() - startedMs);
      if (answer !== null && leftMs <= 0) break;
      answer = parseAnswer((await ask(nc, subjects.connector(pool), JSON.stringify(envelope), Math.max(1, leftMs))).text);
    }
    return answer ?? nobody();
  } catch (error) {
    if (!isAppError(error) || (error.kind !== 'unavailable' && error.kind !== 'timeout')) throw error;
    return performance.now() - startedMs >= waitMs - 50 ? tooLate(waitMs) : nobody();
  }
}

function nobody(): ConnectorResponse {
  return {
    ok: false,
    code: 'CONNECTOR.NO_NODE',
    reason: 'No node of your pool answers at the moment, so nothing was tried. The Nodes page shows which are there; try again in a few seconds.',
  };
}

function tooLate(waitMs: number): ConnectorResponse {
  return {
    ok: false,
    code: 'CONNECTOR.TIMEOUT',
    reason: `The node did not answer within ${Math.round(waitMs / 1_000)} seconds. The connector may be waiting for the other side: check address and network, then try again.`,
  };
}

function parseAnswer(text: string): ConnectorResponse {
  const parsed = connectorResponseSchema.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new AppError({ code: 'CONNECTOR.ANSWER_INVALID', kind: 'internal', message: `a node's answer has the wrong shape: ${parsed.error.message}` });
  return parsed.data;
}
