import type { BusAdmin, TenantAccount } from '@vrsky/bus/admin';
import { describeError } from '@vrsky/kernel/errors';
import { every } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';

export interface ReliefOptions {
  bus: BusAdmin;
  listTenants(): Promise<TenantAccount[]>;
  /** Tenants that messages came for lately. */
  listBusyTenants(): Promise<Set<string>>;
  log: Log;
}

const EVERY_MS = 5_000;
/** A tenant without traffic does not fill up; it is looked at every so many rounds. */
const QUIET_ROUNDS = 24;

/** Keeps worked-off messages from filling a tenant's INGEST, which refuses new ones when it is full. */
export async function runRelief({ bus, listTenants, listBusyTenants, log }: ReliefOptions, stop: AbortSignal): Promise<void> {
  let round = 0;
  const relieve = async (): Promise<void> => {
    const busy = await listBusyTenants();
    const isFullRound = round++ % QUIET_ROUNDS === 0;
    for (const tenant of await listTenants()) {
      if (stop.aborted) return;
      if (!isFullRound && !busy.has(tenant.tenantId)) continue;
      try {
        const packs = await bus.relieveIngest(tenant);
        if (packs > 0) log.info({ tenantId: tenant.tenantId, packs }, 'history made room for new messages');
      } catch (error) {
        // A tenant that is being set up, or NATS is away: the next round is soon.
        log.info({ tenantId: tenant.tenantId, reason: describeError(error) }, 'a stream could not be looked at');
      }
    }
  };
  await every(EVERY_MS, relieve, stop, (error) => log.warn({ reason: describeError(error) }, 'streams could not be relieved'));
}
