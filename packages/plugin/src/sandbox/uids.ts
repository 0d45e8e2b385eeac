import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { sandboxRefusal } from './layers.ts';
import { processesOfUid } from './processes.ts';

/** A user id (and the group id of the same number) that belongs to one plugin while it runs. */
export interface TakenUid {
  readonly uid: number;
  release(): Promise<void>;
}

export interface UidRange {
  first: number;
  count: number;
}

/**
 * Far from what a distribution gives to people and services, and below what containers map. So many that the descriptors of plugins which
 * share the node's network do not suffice to set all marks themselves.
 */
export const pluginUids: UidRange = { first: 20_000, count: 20_000 };

/**
 * Takes an id that no other plugin has, of any node on this machine. The mark is an abstract socket, which the kernel removes with the
 * node; it is seen in one network only, so nodes in different ones also begin to look at different places. Throws AppError
 * `PLUGIN.SANDBOX` when all are taken.
 */
export async function takeUid({ first, count }: UidRange = pluginUids): Promise<TakenUid> {
  for (let tried = 0; tried < count; tried++) {
    const uid = first + ((process.pid * STRIDE + tried) % count);
    const mark = await tryMark(uid);
    if (mark === null) continue;
    const release = (): Promise<void> => new Promise((resolve) => mark.close(() => resolve()));
    // Somebody's whose node was killed and who outlived it.
    if (processesOfUid(uid).length === 0) return { uid, release };
    await release();
  }
  throw sandboxRefusal(`all user ids from ${first} to ${first + count - 1} are in use by plugins`);
}

/** Between the places where nodes that were started one after the other begin. */
const STRIDE = 61;

async function tryMark(uid: number): Promise<Server | null> {
  const mark = createServer((stranger) => stranger.destroy());
  mark.unref();
  mark.listen(`\0vrsky-plugin-uid-${uid}`);
  try {
    await once(mark, 'listening');
    return mark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
