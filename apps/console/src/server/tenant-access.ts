import { AppError } from '@vrsky/kernel/errors';
import type { Permission } from '../features/tenancy/types.ts';
import type { TenantContext } from './context.ts';
import { getDb } from './db.ts';
import { isAllowed } from './permissions.ts';
import { getPlatform } from './platform.ts';
import type { Membership, Session } from './session.ts';

/** The tenant a signed-in person acts in. A tenant they are no member of is not found: its existence is nobody else's business. */
export function openTenant(session: Session, slug: string | null, permission: Permission | 'member'): { tenant: TenantContext; membership: Membership } {
  const membership = session.memberships.find((item) => item.slug === slug);
  if (!membership) {
    throw new AppError({
      code: 'TENANT.NOT_FOUND',
      kind: 'not_found',
      message: `${session.user.id} is no member of tenant ${slug ?? '(none named)'}`,
      publicMessage: 'There is no such organisation among yours.',
    });
  }
  if (permission !== 'member' && !isAllowed(membership.role, permission)) throw notAllowed(membership.role, permission);
  return {
    membership,
    tenant: {
      db: getDb(),
      platform: getPlatform(),
      tenantId: membership.tenantId,
      actor: { kind: 'user', id: session.user.id, name: session.user.name },
      role: membership.role,
    },
  };
}

function notAllowed(role: string, permission: Permission): AppError {
  return new AppError({
    code: 'ROLE.NOT_ALLOWED',
    kind: 'forbidden',
    message: `role ${role} lacks ${permission}`,
    publicMessage: `Your role, ${role}, does not allow this. Ask an owner or admin of your organisation.`,
    details: { role, permission },
  });
}
