import { router, tenantProcedure } from '../../../server/trpc.ts';
import { createSecretInput, replaceSecretInput, secretNameInput } from '../schema.ts';
import type { SecretView } from '../types.ts';
import { createSecret } from './create-secret.ts';
import { deleteSecret } from './delete-secret.ts';
import { listSecrets } from './list-secrets.ts';
import { replaceSecret } from './replace-secret.ts';

export const secretsRouter = router({
  list: tenantProcedure('secret.read').query(({ ctx }): Promise<SecretView[]> => listSecrets(ctx.tenant)),
  create: tenantProcedure('secret.write')
    .input(createSecretInput)
    .mutation(({ ctx, input }): Promise<SecretView> => createSecret(ctx.tenant, input)),
  replace: tenantProcedure('secret.write')
    .input(replaceSecretInput)
    .mutation(({ ctx, input }): Promise<SecretView> => replaceSecret(ctx.tenant, input)),
  delete: tenantProcedure('secret.write')
    .input(secretNameInput)
    .mutation(({ ctx, input }): Promise<void> => deleteSecret(ctx.tenant, input)),
});
