import { router, tenantProcedure } from '../../../server/trpc.ts';
import { connectorInput, testConnectorInput } from '../schema.ts';
import type { ConnectorDetail, ConnectorsView, ConnectorTest } from '../types.ts';
import { connectorCallsProcedures } from './calls-router.ts';
import { getConnector, listConnectors } from './list-connectors.ts';
import { testConnector } from './test-connector.ts';

export const connectorsRouter = router({
  ...connectorCallsProcedures,
  list: tenantProcedure('connector.read').query(({ ctx }): Promise<ConnectorsView> => listConnectors(ctx.tenant)),
  get: tenantProcedure('connector.read')
    .input(connectorInput)
    .query(({ ctx, input }): Promise<ConnectorDetail> => getConnector(ctx.tenant, input)),
  test: tenantProcedure('connector.test')
    .input(testConnectorInput)
    .mutation(({ ctx, input }): Promise<ConnectorTest> => testConnector(ctx.tenant, input)),
});
