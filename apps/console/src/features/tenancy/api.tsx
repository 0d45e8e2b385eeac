'use client';

import { createContext, type ReactNode, useContext } from 'react';
import type { Permission, SessionView } from './types.ts';

const SessionContext = createContext<SessionView | null>(null);

/** Who is signed in and in which tenant, for everything below. It comes with the page: no request, no flash. */
export function SessionProvider({ session, children }: { session: SessionView; children: ReactNode }) {
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): SessionView {
  const session = useContext(SessionContext);
  if (!session) throw new Error('bug: useSession is used outside a tenant page');
  return session;
}

/** The slug of the tenant in the address: the first argument of most `paths`. */
export function useSlug(): string {
  return useSession().tenant.slug;
}

/** The least role that may; the server decides, this only says in words whom to ask. */
export const leastRoles: Record<Permission, string> = {
  'pipeline.read': 'viewer',
  'pipeline.write': 'developer',
  'pipeline.publish': 'developer',
  'message.read': 'viewer',
  'message.resend': 'operator',
  'node.read': 'viewer',
  'connector.read': 'viewer',
  'connector.test': 'developer',
  'apikey.read': 'admin',
  'apikey.write': 'admin',
  'protection.write': 'admin',
  'secret.read': 'developer',
  'secret.write': 'admin',
};

/** For `NeedsRole`: null when the person may, else the role it takes. */
export function useNeeds(permission: Permission): string | null {
  return useSession().permissions.includes(permission) ? null : leastRoles[permission];
}
