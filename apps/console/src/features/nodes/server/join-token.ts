import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@vrsky/contracts/ids';
import type { Db } from '@vrsky/db/client';

/** Long enough to start a node by hand; a token that is found later is worth nothing. */
const VALID_MS = 3_600_000;

/** A token that lets one node into a pool, once. Shown here and never again: what is kept is its hash. Needs the owner's or the worker's role. */
export async function createJoinToken(db: Db, { pool, validMs = VALID_MS }: { pool: string; validMs?: number }): Promise<{ token: string; expiresAt: Date }> {
  const token = `vrsky_join_${randomBytes(32).toString('base64url')}`;
  const expiresAt = new Date(Date.now() + validMs);
  await db.prisma.joinToken.create({ data: { id: newId('key'), tokenHash: hashJoinToken(token), pool, expiresAt } });
  return { token, expiresAt };
}

/** A plain hash will do: 256 random bits cannot be guessed. */
export function hashJoinToken(token: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(token).digest());
}
