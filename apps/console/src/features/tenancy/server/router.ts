import { router, tenantProcedure } from '../../../server/trpc.ts';
import { apiKeyIdInput, createApiKeyInput } from '../schema.ts';
import type { ApiKeyView, SessionView } from '../types.ts';
import { createApiKey } from './create-api-key.ts';
import { listApiKeys } from './list-api-keys.ts';
import { revokeApiKey } from './revoke-api-key.ts';
import { toSessionView } from './session-view.ts';

export const sessionRouter = router({
  get: tenantProcedure('member').query(({ ctx }): SessionView => toSessionView(ctx.session, ctx.membership)),
});

export const apiKeysRouter = router({
  list: tenantProcedure('apikey.read').query(({ ctx }): Promise<ApiKeyView[]> => listApiKeys(ctx.tenant)),
  create: tenantProcedure('apikey.write')
    .input(createApiKeyInput)
    .mutation(({ ctx, input }): Promise<{ id: string; secret: string }> => createApiKey(ctx.tenant, input)),
  revoke: tenantProcedure('apikey.write')
    .input(apiKeyIdInput)
    .mutation(({ ctx, input }): Promise<void> => revokeApiKey(ctx.tenant, input)),
});
