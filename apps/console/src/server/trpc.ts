import { initTRPC } from '@trpc/server';
import { findOutage } from '@vrsky/db/outage';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import superjson from 'superjson';
import type { Permission } from '../features/tenancy/types.ts';
import type { RequestContext } from './request-context.ts';
import { openTenant } from './tenant-access.ts';
import { publicError, toTrpcError } from './to-trpc-error.ts';

interface ProcedureMeta {
  /** What a tenant procedure asks for; the matrix test reads it. */
  permission: Permission | 'member';
}

const t = initTRPC
  .context<RequestContext>()
  .meta<ProcedureMeta>()
  .create({
    transformer: superjson,
    sse: { ping: { enabled: true, intervalMs: 15_000 }, client: { reconnectAfterInactivityMs: 40_000 } },
    errorFormatter: ({ shape, error, ctx }) => {
      const { message, facts } = publicError(error);
      // `stack` would tell a stranger about our files.
      const { stack: _stack, ...data } = shape.data;
      return { ...shape, message, data: { ...data, ...facts, requestId: ctx?.requestId ?? null } };
    },
  });

export const router = t.router;
export const createCallerFactory = t.createCallerFactory;

const translatedProcedure = t.procedure.use(async ({ next }) => {
  const result = await next();
  if (result.ok) return result;
  const { cause } = result.error;
  const error = isAppError(cause) ? cause : findOutage(cause);
  if (error !== null) throw toTrpcError(error);
  return result;
});

/** For a procedure of a signed-in person that belongs to no tenant. */
export const signedInProcedure = translatedProcedure.use(async ({ ctx, next }) => {
  const session = await ctx.findSession();
  if (!session)
    throw new AppError({
      code: 'SESSION.MISSING',
      kind: 'unauthenticated',
      message: 'the request carries no valid session',
      publicMessage: 'Your session has ended. Sign in again.',
    });
  return next({ ctx: { ...ctx, session } });
});

/** The only way to write a tenant procedure: the caller is a member of the tenant and its role allows `permission`. */
export const tenantProcedure = (permission: Permission | 'member') =>
  signedInProcedure.meta({ permission }).use(async ({ ctx, next }) => {
    const { tenant, membership } = openTenant(ctx.session, ctx.tenantSlug, permission);
    return next({ ctx: { ...ctx, tenant, membership } });
  });
