import { readdir, readFile } from 'node:fs/promises';

/** Against a program that makes children faster than we end them: only the kernel (a pid namespace, a cgroup) is a match for that. */
const ROUNDS_MAX = 50;

/** A process as /proc has it. */
interface Process {
  pid: number;
  parent: number;
  isZombie: boolean;
  /** The environment it was started with. Empty when we may not read it. */
  environment: string;
}

/**
 * Sends SIGKILL to a plugin's process group, to its descendants, and to every process that was started with the plugin's own socket
 * directory in its environment: so a child is ended too that has left the group, and one whose parent is gone. What cleared its
 * environment as well, and outlived its parent, is out of our reach without a sandbox. Resolves when nothing is found any more.
 */
export async function killTree(root: number, environmentMark: string): Promise<void> {
  const family = await findFamily(root, environmentMark);
  killGroup(root);
  for (const pid of family) kill(pid);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const left = await findFamily(root, environmentMark);
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
  }
}

/** Living descendants of `root` and living processes with the mark, `root` itself left out. Empty where there is no /proc. */
async function findFamily(root: number, environmentMark: string): Promise<number[]> {
  const processes = await listProcesses();
  const family = new Set([root]);
  // A parent may have a higher number than its child, so until nothing is added.
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  for (const { pid, environment } of processes) if (environment.includes(environmentMark)) family.add(pid);
  return processes.filter(({ pid, isZombie }) => pid !== root && pid !== process.pid && !isZombie && family.has(pid)).map(({ pid }) => pid);
}

async function listProcesses(): Promise<Process[]> {
  const names = await readdir('/proc').catch(() => []); // no /proc: another system than Linux
  const processes = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return processes.filter((one) => one !== null);
}

async function readProcess(name: string): Promise<Process | null> {
  const [stat, environment] = await Promise.all([
    readFile(`/proc/${name}/stat`, 'utf8').catch(() => null),
    readFile(`/proc/${name}/environ`, 'utf8').catch(() => ''),
  ]);
  if (stat === null) return null; // it ended meanwhile
  // The second field is the program's name in brackets, and may itself have brackets and spaces.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid: Number(name), parent: Number(parent), isZombie: state === 'Z' || state === 'X', environment };
}

function killGroup(pid: number): void {
  kill(-pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it is gone already
  }
}
