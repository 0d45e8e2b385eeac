import { connectorEventSchema } from '@vrsky/contracts/connector-calls';
import { connectorNameSchema } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';
import { CALL_MINUTES_MAX } from '../../features/connectors/calls-schema.ts';
import { listCalls } from '../../features/connectors/server/list-calls.ts';
import { noBody } from './parameters.ts';
import { type Route, route } from './route.ts';

const timeSchema = z.iso.datetime().describe('UTC, ISO 8601');

const callMinuteSchema = z
  .object({
    at: timeSchema,
    calls: z.int(),
    refused: z.int(),
    sent: z.int().describe('Messages handed to the connector'),
    received: z.int().describe('Messages taken from it'),
  })
  .meta({ id: 'ConnectorCallMinute' });

export const connectorCallsSchema = z
  .object({
    connector: z.string(),
    from: timeSchema.describe('Beginning of the first minute'),
    to: timeSchema.describe('End of the last minute'),
    perMinute: z.array(callMinuteSchema).describe('Oldest first, without minutes in which nothing happened'),
    methods: z.array(
      z.object({
        method: z.string().describe('As gRPC names it: `/vrsky.connector.v1.Connector/Configure`'),
        stream: z.boolean().describe('Stays open while messages flow; its time says how long, not how fast'),
        calls: z.int(),
        refused: z.int().describe('Not allowed, and never sent'),
        results: z.record(z.string(), z.int()).describe('Those that ended, by gRPC status'),
        requestBytes: z.int().nullable().describe('Null when only processes that other tenants share were asked'),
        responseBytes: z.int().nullable(),
        sent: z.int(),
        received: z.int(),
        meanUs: z.number().nullable().describe('Null while none has ended'),
        maxUs: z.number().nullable(),
        perMinute: z.array(callMinuteSchema),
      }),
    ),
    processes: z
      .array(
        z.object({
          processId: z.string(),
          nodeId: z.string(),
          nodeName: z.string(),
          version: z.string(),
          digest: z.string(),
          shared: z.boolean().describe('Other tenants use it too; only what concerns you is counted'),
          firstAt: timeSchema,
          lastAt: timeSchema,
          calls: z.int(),
          refused: z.int(),
          sent: z.int(),
          received: z.int(),
        }),
      )
      .describe('Starts of the connector, newest first, at most 100'),
    events: z
      .array(
        z.object({
          at: timeSchema,
          kind: connectorEventSchema.shape.kind,
          version: z.string(),
          reason: z.string().describe('For a person'),
          nodeId: z.string(),
          nodeName: z.string(),
          processId: z.string(),
        }),
      )
      .describe('Newest first, at most 200'),
    truncated: z.boolean().describe('More happened than is shown; ask for fewer minutes'),
    asOf: timeSchema.describe('How far the books have been read'),
  })
  .meta({ id: 'ConnectorCalls' });

export const connectorCallRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/connectors/{name}/calls',
    id: 'listConnectorCalls',
    tag: 'Connectors',
    summary: 'What a connector was asked and did',
    description: 'Every call of a node to the connector for you: how many, how they ended, their sizes and times. Never what was in them. Kept for 31 days.',
    permission: 'connector.read',
    params: z.strictObject({ name: connectorNameSchema }),
    query: z.strictObject({
      minutes: z.coerce.number().int().min(1).max(CALL_MINUTES_MAX).default(CALL_MINUTES_MAX).describe('How far back, at most an hour'),
      until: z.iso.datetime().optional().describe('Instead of now'),
    }),
    body: noBody,
    success: { status: 200, description: 'The calls, by method, minute and process', schema: connectorCallsSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params, query }) => ({ body: await listCalls(tenant, { connector: params.name, ...query }) }),
  }),
];
