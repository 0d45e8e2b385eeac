import { rolePermissions } from '../../../server/permissions.ts';
import type { Membership, Session } from '../../../server/session.ts';
import type { SessionView } from '../types.ts';

/** Who is signed in, in which tenant, and what their role allows there. */
export function toSessionView(session: Session, current: Membership): SessionView {
  return { user: session.user, tenant: toTenant(current), tenants: session.memberships.map(toTenant), permissions: [...rolePermissions[current.role]] };
}

function toTenant(membership: Membership): SessionView['tenant'] {
  return { id: membership.tenantId, slug: membership.slug, name: membership.name, role: membership.role };
}
