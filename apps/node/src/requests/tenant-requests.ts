import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { openEnvelope, type SignedPurpose, type TrustedKey } from '@vrsky/contracts/signed';
import { AppError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { z } from 'zod';
import type { Tenant } from '../tenant.ts';

/** Requests of the control plane that a node answers in a tenant's account. */
export interface TenantRequests extends Part {
  set(tenant: Tenant): void;
  remove(tenantId: string): void;
}

/** What an answer says when it cannot be given. */
export interface Refusal {
  ok: false;
  code: string;
  reason: string;
}

export interface TenantRequestsOptions<Answer> {
  name: string;
  subject: string;
  /** Begins the codes of refusals: `RUN` for `RUN.BUSY`. */
  prefix: string;
  /** Requests worked on at a time, over all tenants; more are answered as busy. */
  concurrentMax: number;
  answer(tenant: Tenant, nc: NatsConnection, text: string): Promise<Answer>;
  log: Log;
}

/** Answers on one subject in every tenant's account; one node of the pool answers each request. */
export function createTenantRequests<Answer>(options: TenantRequestsOptions<Answer>): TenantRequests {
  const { name, subject, prefix, log } = options;
  const serving = new Map<string, { tenant: Tenant; subscription: Subscription | null }>();
  let running = 0;

  const serve = (tenant: Tenant, nc: NatsConnection): Subscription =>
    nc.subscribe(subject, {
      queue: name,
      callback: (error, message) =>
        error
          ? log.warn({ tenantId: tenant.tenantId, subject, err: error }, 'requests cannot be received')
          : void respond(tenant, nc, message.string()).then((answer) => message.respond(JSON.stringify(answer))),
    });

  const respond = async (tenant: Tenant, nc: NatsConnection, text: string): Promise<Answer | Refusal> => {
    if (running >= options.concurrentMax)
      return { ok: false, code: `${prefix}.BUSY`, reason: 'The node is busy with other requests like this one. Try again in a moment.' };
    running++;
    try {
      return await options.answer(tenant, nc, text);
    } catch (error) {
      log.warn({ tenantId: tenant.tenantId, subject, err: error }, 'a request was refused');
      return { ok: false, code: isAppError(error) ? error.code : `${prefix}.FAULT`, reason: publicMessageOf(error) };
    } finally {
      running--;
    }
  };

  const end = (tenantId: string): void => {
    const found = serving.get(tenantId);
    serving.delete(tenantId);
    if (found?.subscription && !found.subscription.isClosed()) found.subscription.unsubscribe();
  };

  return {
    name,
    set(tenant) {
      if (serving.get(tenant.tenantId)?.tenant === tenant) return;
      end(tenant.tenantId);
      const entry = { tenant, subscription: null as Subscription | null };
      serving.set(tenant.tenantId, entry);
      tenant.bus.connected.then(
        (nc) => {
          if (serving.get(tenant.tenantId) === entry) entry.subscription = serve(tenant, nc);
        },
        () => {}, // closed before it was there: nobody can ask
      );
    },
    remove: end,
    async [Symbol.asyncDispose]() {
      for (const tenantId of [...serving.keys()]) end(tenantId);
    },
  };
}

export interface RequestAsk {
  pool: string;
  tenantId: string;
  trusted: readonly TrustedKey[];
  nowMs?: number;
}

interface TenantRequest {
  tenantId: string;
  pool: string;
  issuedAtMs: number;
}

const requestAgeMsMax = 60_000;
/** Clocks of two machines may differ by this much. */
const clockSkewMs = 10_000;

/** A request that the control plane signed for this purpose, tenant and pool within the last minute. Throws AppError `<prefix>.…`. */
export function openTenantRequest<T extends TenantRequest>(
  { purpose, prefix, schema }: { purpose: SignedPurpose; prefix: string; schema: z.ZodType<T> },
  text: string,
  { pool, tenantId, trusted, nowMs = Date.now() }: RequestAsk,
): T {
  const parsed = schema.safeParse(JSON.parse(openEnvelope(purpose, text, trusted)));
  if (!parsed.success) throw refusedRequest(`${prefix}.MALFORMED`, parsed.error.message);
  const request = parsed.data;
  if (request.tenantId !== tenantId) throw refusedRequest(`${prefix}.WRONG_TENANT`, `a request for ${request.tenantId} came in the account of ${tenantId}`);
  if (request.pool !== pool) throw refusedRequest(`${prefix}.WRONG_POOL`, `a request for the pool ${request.pool} came to ${pool}`);
  const ageMs = nowMs - request.issuedAtMs;
  if (ageMs > requestAgeMsMax || ageMs < -clockSkewMs) throw refusedRequest(`${prefix}.TOO_OLD`, `the request is ${ageMs} ms old`);
  return request;
}

export function refusedRequest(code: string, message: string): AppError {
  return new AppError({ code, kind: 'invalid', message });
}
