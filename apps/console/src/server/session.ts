import type { Role } from '../features/tenancy/types.ts';

export interface Membership {
  tenantId: string;
  slug: string;
  name: string;
  role: Role;
}

/** A person who is signed in, and the tenants they belong to. */
export interface Session {
  user: { id: string; email: string; name: string };
  memberships: Membership[];
}
