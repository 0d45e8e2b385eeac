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

/** Far from what a distribution gives to people and services, and below what containers map. */
export const pluginUids: UidRange = { first: 20_000, count: 1_000 };

/**
 * Takes the lowest id that no other plugin has, of any node on this machine: a plugin must not share one, since all processes of an id
 * are ended together. The mark is an abstract socket, which the kernel removes with the node. Throws AppError `PLUGIN.SANDBOX`.
 */
export async function takeUid({ first, count }: UidRange = pluginUids): Promise<TakenUid> {
  for (let uid = first; uid < first + count; uid++) {
    const mark = await tryMark(uid);
    if (mark === null) continue;
    const release = (): Promise<void> => new Promise((resolve) => mark.close(() => resolve()));
    // Somebody's whose node was killed and who outlived it.
    if (processesOfUid(uid).length === 0) return { uid, release };
    await release();
  }
  throw sandboxRefusal(`all user ids from ${first} to ${first + count - 1} are in use by plugins`);
}

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
