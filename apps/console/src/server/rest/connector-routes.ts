import { connectorNameSchema, releaseDigestSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';
import { testSettings } from '../../features/connectors/schema.ts';
import { getConnector, listConnectors } from '../../features/connectors/server/list-connectors.ts';
import { testConnector } from '../../features/connectors/server/test-connector.ts';
import { noBody, noParams, noQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import { connectorSchema, connectorsSchema, connectorTestSchema } from './schemas.ts';

const tag = 'Connectors';
const nameParams = z.strictObject({ name: connectorNameSchema });

export const connectorRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/connectors',
    id: 'listConnectors',
    tag,
    summary: 'List the connectors that your nodes offer',
    description:
      'With the releases each node has, and the connector processes that run for you. `problems` are files in a node’s directory that are no connector.',
    permission: 'connector.read',
    params: noParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'All connectors of your pool', schema: connectorsSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant) => {
      const { connectors, ...view } = await listConnectors(tenant);
      return { body: { items: connectors, ...view } };
    },
  }),
  route({
    method: 'GET',
    path: '/connectors/{name}',
    id: 'getConnector',
    tag,
    summary: 'Read a connector: its settings, what runs of it, which pipelines use it',
    permission: 'connector.read',
    params: nameParams,
    query: z.strictObject({ release: releaseDigestSchema.optional().describe('Settings of this release; left out, of the newest that a node has') }),
    body: noBody,
    success: { status: 200, description: 'The connector', schema: connectorSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params, query }) => ({ body: await getConnector(tenant, { ...params, ...query }) }),
  }),
  route({
    method: 'POST',
    path: '/connectors/{name}/test',
    id: 'testConnector',
    tag,
    summary: 'Try settings out on a node',
    description: 'The connector checks the settings and reaches out to the other side: it resolves, connects and signs in, but delivers and changes nothing.',
    permission: 'connector.test',
    params: nameParams,
    query: noQuery,
    body: z.strictObject(testSettings),
    success: { status: 200, description: 'What the connector found, or why it could not be asked', schema: connectorTestSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params, body }) => ({ body: await testConnector(tenant, { ...params, ...body }) }),
  }),
];
