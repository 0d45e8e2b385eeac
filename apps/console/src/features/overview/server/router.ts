import { router, tenantProcedure } from '../../../server/trpc.ts';
import type { OverviewView } from '../types.ts';
import { getOverview } from './get-overview.ts';

export const overviewRouter = router({
  get: tenantProcedure('pipeline.read').query(({ ctx }): Promise<OverviewView> => getOverview(ctx.tenant)),
});
