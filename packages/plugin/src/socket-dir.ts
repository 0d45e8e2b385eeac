import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Leaves 27 bytes of `sun_path` for the name of the socket. */
const SOCKET_DIR_BYTES_MAX = 80;
const RANDOM_CHARS = 6;
const NAME = /^vrsky-p-([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)-/;

/** Which process a directory belongs to, so that a later one can tell whether that is gone. */
interface Owner {
  /** Processes of another namespace cannot be told apart by their number. */
  namespace: string;
  pid: string;
  startedAt: string;
}

/**
 * Makes a directory for one plugin's sockets and temporary files, readable by us alone; in /tmp when the temporary directory's own path
 * is too long for a socket in it. Its name says whose it is.
 */
export async function makeSocketDir(): Promise<string> {
  const { namespace, pid, startedAt } = await ownerOf('self');
  const name = `vrsky-p-${namespace}-${pid}-${startedAt}-`;
  const folder = Buffer.byteLength(join(tmpdir(), name)) + RANDOM_CHARS <= SOCKET_DIR_BYTES_MAX ? tmpdir() : '/tmp';
  removed ??= removeForgottenSocketDirs(folder);
  await removed;
  return await mkdtemp(join(folder, name));
}
let removed: Promise<void> | undefined;

/** Removes the directories of hosts that are gone and could not do it themselves: they were killed. */
export async function removeForgottenSocketDirs(folder: string): Promise<void> {
  const { namespace } = await ownerOf('self');
  for (const entry of await readdir(folder)) {
    const [, itsNamespace, pid = '', startedAt] = NAME.exec(entry) ?? [];
    if (itsNamespace !== namespace || namespace === NONE) continue;
    const now = await ownerOf(String(Number.parseInt(pid, 36)));
    if (now.startedAt !== startedAt) await rm(join(folder, entry), { recursive: true, force: true, maxRetries: 3 });
  }
}

const NONE = '0';

/** Zeros where there is no such process, only its entry that its parent has not yet read, or no /proc. */
async function ownerOf(pid: string): Promise<Owner> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isGone = fields[0] === 'Z' || fields[0] === 'X';
  const base36 = (text: string | undefined): string => Number(/\d+/.exec(text ?? '')?.[0] ?? 0).toString(36);
  return { namespace: base36(namespace), pid: base36(stat), startedAt: isGone ? NONE : base36(fields[19]) };
}
