import { type TrackedEnvelope, tracked } from '@trpc/server';
import { z } from 'zod';
import type { LiveChange } from './live/live-change.ts';
import { liveChanges } from './live.ts';
import { router, tenantProcedure } from './trpc.ts';

export const liveRouter = router({
  /** What changed in the tenant, so that a page asks again for exactly that. `lastEventId` comes from a client that reconnects. */
  changes: tenantProcedure('member')
    .input(z.strictObject({ lastEventId: z.string().max(100).nullish() }).optional())
    .subscription(async function* ({ ctx, input, signal }): AsyncGenerator<TrackedEnvelope<LiveChange>> {
      const isAllowed = async () => (await ctx.findSession())?.memberships.some((item) => item.tenantId === ctx.tenant.tenantId) ?? false;
      for await (const event of liveChanges(ctx.tenant, { lastEventId: input?.lastEventId ?? null, signal, isAllowed })) yield tracked(event.id, event.change);
    }),
});
