import { cookies } from 'next/headers';
import { findSession, type Session } from '../../server/session.ts';

/** Who is signed in, for a page that is being rendered. */
export async function readSession(): Promise<Session | null> {
  return findSession(Object.fromEntries((await cookies()).getAll().map(({ name, value }) => [name, value])));
}
