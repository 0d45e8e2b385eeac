import { z } from 'zod';
import { listDeadLetters } from '../../features/messages/server/list-dead-letters.ts';
import { resendDeadLetter } from '../../features/messages/server/resend-dead-letter.ts';
import { noBody, noParams, noQuery, pageQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import { deadLetterSchema, projectedPageOf } from './schemas.ts';

const tag = 'Dead letters';

export const deadLetterRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/dead-letters',
    id: 'listDeadLetters',
    tag,
    summary: 'List messages that could not be delivered, newest first',
    permission: 'message.read',
    params: noParams,
    query: pageQuery.extend({ pipelineId: z.string().min(1).max(64).optional().describe('Only of this pipeline') }),
    body: noBody,
    success: { status: 200, description: 'A page of dead letters', schema: projectedPageOf(deadLetterSchema) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { query }) => ({ body: await listDeadLetters(tenant, query) }),
  }),
  route({
    method: 'POST',
    path: '/dead-letters/{messageId}/{destinationId}/resend',
    id: 'resendDeadLetter',
    tag,
    summary: 'Send a dead letter again',
    description:
      'To the one destination it was for, with the revision that is published now, as a new message. A second call within ten seconds sends nothing and answers the same.',
    permission: 'message.resend',
    params: z.strictObject({ messageId: z.string().min(1).max(64), destinationId: z.string().min(1).max(40) }),
    query: noQuery,
    body: noBody,
    success: { status: 202, description: 'Stored; follow the new message', schema: z.object({ messageId: z.string() }) },
    ifMatch: 'none',
    idempotent: true,
    handle: async (tenant, { params }) => {
      const sent = await resendDeadLetter(tenant, params);
      return { body: sent, location: `/messages/${sent.messageId}` };
    },
  }),
];
