import { router, tenantProcedure } from '../../../server/trpc.ts';
import type { NodeView } from '../types.ts';
import { listNodes } from './list-nodes.ts';

export const nodesRouter = router({
  list: tenantProcedure('node.read').query(({ ctx }): Promise<NodeView[]> => listNodes(ctx.tenant)),
});
