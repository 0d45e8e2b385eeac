import { trailStates } from '@vrsky/contracts/trail';
import { z } from 'zod';
import { getMessage } from '../../features/messages/server/get-message.ts';
import { listMessages } from '../../features/messages/server/list-messages.ts';
import { recomputePayloads } from '../../features/messages/server/recompute-payloads.ts';
import { idParams, noBody, noParams, noQuery, pageQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import { messageSchema, messageSummarySchema, payloadsSchema, projectedPageOf } from './schemas.ts';

const tag = 'Messages';

const listQuery = pageQuery.extend({
  pipelineId: z.string().min(1).max(64).optional().describe('Only of this pipeline'),
  state: z.array(z.enum(trailStates)).max(trailStates.length).optional().describe('Only in these states; several with commas'),
  search: z.string().max(64).optional().describe('A message id or its beginning, or a trace id'),
});

export const messageRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/messages',
    id: 'listMessages',
    tag,
    summary: 'List messages, newest first',
    permission: 'message.read',
    params: noParams,
    query: listQuery,
    body: noBody,
    success: { status: 200, description: 'A page of messages', schema: projectedPageOf(messageSummarySchema) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { query: { state, ...query } }) => ({ body: await listMessages(tenant, { ...query, states: state }) }),
  }),
  route({
    method: 'GET',
    path: '/messages/{id}',
    id: 'getMessage',
    tag,
    summary: 'Read the trail of a message',
    permission: 'message.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'The message with its steps and delivery attempts', schema: messageSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => ({ body: await getMessage(tenant, params) }),
  }),
  route({
    method: 'GET',
    path: '/messages/{id}/payloads',
    id: 'getMessagePayloads',
    tag,
    summary: 'What came in and what each step made of it',
    description: 'Computed again on a node from the stored input, with the revision the message ran with.',
    permission: 'message.read',
    params: idParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'The payloads, or why there are none', schema: payloadsSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => ({ body: await recomputePayloads(tenant, params) }),
  }),
];
