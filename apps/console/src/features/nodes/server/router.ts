import { router, tenantProcedure } from '../../../server/trpc.ts';
import { type Protection, protectionSchema } from '../schema.ts';
import type { NodeView } from '../types.ts';
import { listNodes } from './list-nodes.ts';
import { getProtection, setProtection } from './protection.ts';

export const nodesRouter = router({
  protection: tenantProcedure('node.read').query(({ ctx }): Promise<Protection> => getProtection(ctx.tenant)),
  setProtection: tenantProcedure('protection.write')
    .input(protectionSchema)
    .mutation(({ ctx, input }): Promise<void> => setProtection(ctx.tenant, input)),
  list: tenantProcedure('node.read').query(({ ctx }): Promise<NodeView[]> => listNodes(ctx.tenant)),
});
