import { receiverBin } from '@vrsky/contracts/receiver';
import type { TenantContext } from '../../../server/context.ts';

/** Where the tenant's test receiver takes requests and lists them. */
export function receiverUrl({ platform, tenantId }: TenantContext): string {
  return `${platform.config.receiverUrl}/${receiverBin(platform.receiverKey, tenantId)}`;
}
