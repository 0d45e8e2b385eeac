import { receiverBin } from '@vrsky/contracts/receiver';
import type { TenantContext } from './context.ts';
import { createLiveHub, type LiveHub } from './live/hub.ts';
import { type LiveChange, liveKinds } from './live/live-change.ts';
import { log } from './log.ts';
import { observeLive } from './metrics.ts';
import { findSingleton, singleton } from './singleton.ts';

/** Somebody whose session ended, or who left the tenant, is cut off after this long at most. */
const RECHECK_EVERY_MS = 20_000;

export interface LiveEvent {
  id: string;
  change: LiveChange;
}

export interface LiveOptions {
  /** Set by a client that comes back: what happened meanwhile is unknown, so it is told to ask for everything. */
  lastEventId: string | null;
  signal: AbortSignal | undefined;
  /** Still signed in, still a member? */
  isAllowed(): Promise<boolean>;
  recheckEveryMs?: number;
}

/** The tenant's changes as they happen, until the client leaves or may no longer see them. */
export async function* liveChanges(tenant: TenantContext, options: LiveOptions): AsyncGenerator<LiveEvent> {
  const { recheckEveryMs = RECHECK_EVERY_MS } = options;
  const subscription = getLiveHub(tenant).subscribe(tenant.tenantId);
  const end = () => subscription.end();
  options.signal?.addEventListener('abort', end, { once: true });
  try {
    let count = 0;
    const event = (change: LiveChange): LiveEvent => ({ id: String(++count), change });
    if (options.lastEventId !== null) for (const kind of liveKinds) yield event({ kind });
    let checkedAtMs = performance.now();
    while (!options.signal?.aborted) {
      const changes = await subscription.next(recheckEveryMs);
      if (changes === null) return;
      if (performance.now() - checkedAtMs >= recheckEveryMs) {
        if (!(await options.isAllowed())) return;
        checkedAtMs = performance.now();
      }
      for (const change of changes) yield event(change);
    }
  } finally {
    options.signal?.removeEventListener('abort', end);
    subscription.end();
  }
}

/** Ends every live connection; for the end of the process. */
export async function closeLive(): Promise<void> {
  await findSingleton<LiveHub>('live')?.close();
}

function getLiveHub(tenant: TenantContext): LiveHub {
  const { db, platform } = tenant;
  return singleton('live', () => {
    const hub = createLiveHub({
      db,
      log,
      receiverEventsUrl: (tenantId) => `${platform.config.receiverUrl}/${receiverBin(platform.receiverKey, tenantId)}/events`,
    });
    observeLive(() => hub.subscribers);
    return hub;
  });
}
