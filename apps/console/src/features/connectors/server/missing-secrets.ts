import type { TenantContext } from '../../../server/context.ts';

/** Which of these names are no secret of the tenant. Tenants keep no secrets, so that is all of them. */
export async function missingSecrets(_ctx: TenantContext, names: readonly string[]): Promise<Set<string>> {
  return new Set(names);
}
