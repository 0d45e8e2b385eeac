import type { Db } from './client.ts';

/** Questions that come before a tenant is known; each answers for one exact key (see README.md, "Three roles"). */

export interface SignInUser {
  id: string;
  email: string;
  name: string;
  passwordHash: string;
}

/** By e-mail address, in whatever case it was typed. */
export async function findSignInUser(db: Db, email: string): Promise<SignInUser | null> {
  const rows = await db.prisma.$queryRaw<SignInUser[]>`SELECT id, email, name, password_hash AS "passwordHash" FROM find_sign_in_user(${email})`;
  return rows[0] ?? null;
}

export interface SessionUser {
  id: string;
  email: string;
  name: string;
  /** A session issued before this is over. */
  sessionsFrom: Date;
}

export async function findSessionUser(db: Db, userId: string): Promise<SessionUser | null> {
  const rows = await db.prisma.$queryRaw<SessionUser[]>`SELECT id, email, name, sessions_from AS "sessionsFrom" FROM find_session_user(${userId})`;
  return rows[0] ?? null;
}

/** Ends every session of a user that was issued until now. */
export async function endSessions(db: Db, userId: string): Promise<void> {
  await db.prisma.$executeRaw`SELECT end_sessions(${userId})`;
}

export interface MembershipRow {
  tenantId: string;
  slug: string;
  name: string;
  role: string;
}

/** A user's tenants by name. */
export async function listMemberships(db: Db, userId: string): Promise<MembershipRow[]> {
  return db.prisma.$queryRaw<MembershipRow[]>`SELECT tenant_id AS "tenantId", slug, name, role FROM list_memberships(${userId})`;
}

export interface ApiKeyRow {
  tenantId: string;
  id: string;
  name: string;
  role: string;
  secretHash: Uint8Array;
  revokedAt: Date | null;
}

/** By the public half of the key. The caller compares the secret half, in constant time. */
export async function findApiKey(db: Db, keyId: string): Promise<ApiKeyRow | null> {
  const rows = await db.prisma.$queryRaw<
    ApiKeyRow[]
  >`SELECT tenant_id AS "tenantId", id, name, role, secret_hash AS "secretHash", revoked_at AS "revokedAt" FROM find_api_key(${keyId})`;
  return rows[0] ?? null;
}
