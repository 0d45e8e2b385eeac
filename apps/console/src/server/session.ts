import { findSessionUser, listMemberships } from '@vrsky/db/sign-in';
import { getToken } from 'next-auth/jwt';
import type { Role } from '../features/tenancy/types.ts';
import { getConsoleConfig } from './config.ts';
import { getDb } from './db.ts';

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

/** What our session token says; it is encrypted, so only we can have written it. */
export interface SessionClaims {
  userId: string;
  /** The user's `sessions_from` at sign-in: ending all sessions changes it, and tokens with another value are over. */
  sessionsFromMs: number;
}

/**
 * The session of a request's cookies, or null. The token alone counts for nothing: user, revocation and memberships are read from
 * the database at every request, so an ended session or a removed member is out at once.
 */
export async function findSession(cookies: Record<string, string>): Promise<Session | null> {
  const claims = await readClaims(cookies);
  if (!claims) return null;
  const db = getDb();
  const [user, memberships] = await Promise.all([findSessionUser(db, claims.userId), listMemberships(db, claims.userId)]);
  if (!user || user.sessionsFrom.getTime() !== claims.sessionsFromMs) return null;
  return { user: { id: user.id, email: user.email, name: user.name }, memberships: memberships.map((row) => ({ ...row, role: row.role as Role })) };
}

async function readClaims(cookies: Record<string, string>): Promise<SessionClaims | null> {
  const { config, secrets } = getConsoleConfig();
  // `req` is only read for its cookies and headers; an Authorization header must not carry a session.
  const token = await getToken({
    req: { cookies, headers: {} } as never,
    secret: secrets.keys.authSecret,
    secureCookie: config.consoleUrl.startsWith('https:'),
  });
  return token && typeof token.userId === 'string' && typeof token.sessionsFromMs === 'number'
    ? { userId: token.userId, sessionsFromMs: token.sessionsFromMs }
    : null;
}
