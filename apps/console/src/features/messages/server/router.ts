import { router, tenantProcedure } from '../../../server/trpc.ts';
import { listDeadLettersInput, listMessagesInput, listWaitingInput, messageIdInput, resendInput } from '../schema.ts';
import type { DeadLetterView, DestinationHealth, MessageDetail, MessagePayloads, MessageSummary, Page } from '../types.ts';
import { getMessage } from './get-message.ts';
import { listDeadLetters } from './list-dead-letters.ts';
import { listMessages } from './list-messages.ts';
import { listWaiting } from './list-waiting.ts';
import { recomputePayloads } from './recompute-payloads.ts';
import { resendDeadLetter } from './resend-dead-letter.ts';

export const messagesRouter = router({
  list: tenantProcedure('message.read')
    .input(listMessagesInput)
    .query(({ ctx, input }): Promise<Page<MessageSummary>> => listMessages(ctx.tenant, input)),
  waiting: tenantProcedure('message.read')
    .input(listWaitingInput)
    .query(({ ctx, input }): Promise<DestinationHealth[]> => listWaiting(ctx.tenant, input)),
  get: tenantProcedure('message.read')
    .input(messageIdInput)
    .query(({ ctx, input }): Promise<MessageDetail> => getMessage(ctx.tenant, input)),
  payloads: tenantProcedure('message.read')
    .input(messageIdInput)
    .query(({ ctx, input }): Promise<MessagePayloads> => recomputePayloads(ctx.tenant, input)),
});

export const deadLettersRouter = router({
  list: tenantProcedure('message.read')
    .input(listDeadLettersInput)
    .query(({ ctx, input }): Promise<Page<DeadLetterView>> => listDeadLetters(ctx.tenant, input)),
  resend: tenantProcedure('message.resend')
    .input(resendInput)
    .mutation(({ ctx, input }): Promise<{ messageId: string }> => resendDeadLetter(ctx.tenant, input)),
});
