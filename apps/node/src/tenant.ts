import type { Stamp } from './core/pack-headers.ts';
import type { TenantBus } from './tenant-bus.ts';

/** A tenant as the parts of a node see it: its id and proof key, and the way into its account. */
export interface Tenant {
  readonly tenantId: string;
  readonly bus: TenantBus;
  /** Replaced when a new grant brings a new key. */
  stamp: Stamp;
}
