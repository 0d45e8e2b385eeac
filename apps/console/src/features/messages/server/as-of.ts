import type { TenantTx } from '@vrsky/db/client';

/** How far the trail of the tenant has been read: what happened until then is in the tables. */
export async function readAsOf(tx: TenantTx, tenantId: string): Promise<string> {
  const [position, platform] = [
    await tx.trailPosition.findUnique({ where: { tenantId } }),
    await tx.platformState.findFirst({ select: { projectorSeenAt: true } }),
  ];
  const at = position?.behind ? position.asOf : (platform?.projectorSeenAt ?? position?.asOf);
  return (at ?? new Date(0)).toISOString();
}
