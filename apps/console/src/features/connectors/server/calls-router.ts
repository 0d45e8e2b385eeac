import { tenantProcedure } from '../../../server/trpc.ts';
import { listCallsInput, listRefusalsInput } from '../calls-schema.ts';
import type { ConnectorCallsView, SourceRefusalView } from '../calls-types.ts';
import { listCalls } from './list-calls.ts';
import { listRefusals } from './list-refusals.ts';

export const connectorCallsProcedures = {
  calls: tenantProcedure('connector.read')
    .input(listCallsInput)
    .query(({ ctx, input }): Promise<ConnectorCallsView> => listCalls(ctx.tenant, input)),
  refusals: tenantProcedure('connector.read')
    .input(listRefusalsInput)
    .query(({ ctx, input }): Promise<SourceRefusalView[]> => listRefusals(ctx.tenant, input)),
};
