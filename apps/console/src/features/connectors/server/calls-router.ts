import { tenantProcedure } from '../../../server/trpc.ts';
import { listCallsInput } from '../calls-schema.ts';
import type { ConnectorCallsView } from '../calls-types.ts';
import { listCalls } from './list-calls.ts';

export const connectorCallsProcedures = {
  calls: tenantProcedure('connector.read')
    .input(listCallsInput)
    .query(({ ctx, input }): Promise<ConnectorCallsView> => listCalls(ctx.tenant, input)),
};
