import type { Log } from '@vrsky/kernel/log';
import type { Session } from './session.ts';

/** What every procedure gets of the request it serves. */
export interface RequestContext {
  requestId: string;
  log: Log;
  /** Slug of the tenant the caller means; it is checked against the session before it counts. */
  tenantSlug: string | null;
  /** Who is signed in now: read from the database at every request, so a revoked session ends at once. */
  findSession(): Promise<Session | null>;
}
