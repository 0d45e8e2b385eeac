import type { Db } from '@vrsky/db/client';
import type { Role } from '../features/tenancy/types.ts';
import type { Platform } from './platform.ts';

/** Who does it: a person who is signed in, or a machine with the tenant's API key. */
export interface Actor {
  kind: 'user' | 'api_key';
  id: string;
  name: string;
}

/** First argument of every service: whose data, on whose behalf. The role was checked before. */
export interface TenantContext {
  db: Db;
  platform: Platform;
  tenantId: string;
  actor: Actor;
  role: Role;
}
