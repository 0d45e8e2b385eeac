import type { TenantTx } from '@vrsky/db/client';

/** Postgres channel on which the control plane's processes tell each other what changed. */
export const LIVE_CHANNEL = 'vrsky_live';
/** Wakes the relay; carries nothing. */
export const OUTBOX_CHANNEL = 'vrsky_outbox';

/** What changed in a tenant; pages ask again for exactly that. */
export interface LiveNotice {
  /** null: it concerns every tenant. */
  tenantId: string | null;
  kind: 'messages' | 'rollout' | 'pipelines' | 'nodes' | 'calls' | 'secrets';
  pipelineId?: string;
}

/** Sent when the transaction commits. */
export async function notifyLive(tx: Pick<TenantTx, '$executeRaw'>, notice: LiveNotice): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify(${LIVE_CHANNEL}, ${JSON.stringify(notice)})`;
}
