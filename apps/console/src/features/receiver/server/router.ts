import { router, tenantProcedure } from '../../../server/trpc.ts';
import type { ReceivedView } from '../types.ts';
import { listReceived } from './list-received.ts';
import { receiverUrl } from './receiver-url.ts';

export const receiverRouter = router({
  info: tenantProcedure('message.read').query(({ ctx }): { url: string } => ({ url: receiverUrl(ctx.tenant) })),
  list: tenantProcedure('message.read').query(({ ctx }): Promise<ReceivedView[]> => listReceived(ctx.tenant)),
});
