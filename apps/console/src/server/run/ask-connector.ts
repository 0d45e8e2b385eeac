import { ask } from '@vrsky/bus/connect';
import { type ConnectorRequest, type ConnectorResponse, connectorRequestSchema, connectorResponseSchema } from '@vrsky/contracts/connector-request';
import { requestPlace, type SealedSecretRecord } from '@vrsky/contracts/sealed-secrets';
import { SECRET_NAME, secretNames } from '@vrsky/contracts/secrets';
import { signEnvelope } from '@vrsky/contracts/signed';
import { subjects } from '@vrsky/contracts/subjects';
import { withTenant } from '@vrsky/db/client';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { readSecretSet, sealSecretSet } from '../../features/secrets/server/secret-set.ts';
import { getTenantAccount } from '../../features/tenancy/server/tenant-account.ts';
import { getBus } from '../bus.ts';
import type { TenantContext } from '../context.ts';

export type ConnectorQuestion = Pick<ConnectorRequest, 'connector' | 'release' | 'role' | 'settings' | 'probe'> &
  Partial<Pick<ConnectorRequest, 'replyWithinMs'>>;

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
      const issuedAtMs = Date.now();
      const secrets = Object.fromEntries(await sealForPool(ctx, pool, question.settings, issuedAtMs));
      const request: ConnectorRequest = connectorRequestSchema.parse({ v: 1, tenantId: ctx.tenantId, pool, issuedAtMs, sandboxMinimum, secrets, ...question });
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

/** Nodes that a question is sealed to, since nobody knows before which one answers. */
const SEALED_TO_MAX = 50;

/** The secrets that settings refer to, for each node that may answer: the settings may be of a draft, whose secrets no node has yet. */
async function sealForPool(ctx: TenantContext, pool: string, settings: unknown, issuedAtMs: number): Promise<Map<string, SealedSecretRecord[]>> {
  const names = secretNames(settings).filter((name) => SECRET_NAME.test(name));
  if (names.length === 0) return new Map();
  return withTenant(ctx.db, ctx.tenantId, async (tx) => {
    const set = await readSecretSet(tx, ctx.tenantId, names);
    const nodes = await tx.node.findMany({
      where: { pool, removedAt: null },
      select: { id: true, sealKey: true },
      orderBy: { leaseAt: { sort: 'desc', nulls: 'last' } },
      take: SEALED_TO_MAX,
    });
    const targets = nodes.map(({ id, sealKey }) => ({ nodeId: id, sealKey, within: requestPlace(issuedAtMs) }));
    return sealSecretSet(tx, ctx.platform.kek, ctx.tenantId, { set, targets });
  });
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
