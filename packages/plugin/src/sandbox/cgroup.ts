import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@vrsky/kernel/lifecycle';
import { killIfThere, parsePids, readIfThere } from './processes.ts';

/** Folders below which we may make a cgroup for each plugin. Version 1 has one for each controller. */
export type CgroupMeans = { version: 1; memory: string; pids: string } | { version: 2; unified: string };

export interface CgroupLimits {
  memoryBytes: number;
  processesMax: number;
}

/** A cgroup for one plugin. */
export interface Cgroup {
  readonly name: string;
  /** A process that writes `0` into each of them is in the group. */
  readonly procsFiles: readonly string[];
  pids(): number[];
  /** Why the kernel stood in the way of its processes, as far as it counted it. */
  outcome(): { outOfMemory: boolean; outOfProcesses: boolean };
  /** SIGKILL to everybody in it until nobody is left; also to those who left their process group, and to a fork bomb. */
  kill(): Promise<void>;
  /** Removes the group. Everybody in it has to be gone, or on the way out. */
  remove(): Promise<void>;
}

const PREFIX = 'vrsky';
const KILL_MS = 5_000;
let made = 0;

/** Where our own process is in the trees of cgroups, and so where a group for a plugin may be possible: the best first. Linux only. */
export function cgroupCandidates(): CgroupMeans[] {
  const mounts = cgroupMounts();
  const own = ownCgroups();
  const folder = (key: string): string | null => {
    const mount = mounts.get(key);
    const path = own.get(key);
    if (mount === undefined || path === undefined) return null;
    // A container often has its own group mounted as the root.
    return join(mount.folder, path.startsWith(mount.root) ? path.slice(mount.root.length) : path);
  };
  const found: CgroupMeans[] = [];
  const unified = folder('');
  // A group with processes of its own cannot limit its children (but for the root): systemd's DelegateSubgroup= makes room one above.
  if (unified !== null) found.push({ version: 2, unified }, { version: 2, unified: join(unified, '..') });
  const memory = folder('memory');
  const pids = folder('pids');
  if (memory !== null && pids !== null) found.push({ version: 1, memory, pids });
  return found;
}

/** Makes a group with limits. Throws what the file system says. */
export function createCgroup(means: CgroupMeans, limits: CgroupLimits): Cgroup {
  const name = `${PREFIX}-${process.pid}-${++made}`;
  const group = means.version === 1 ? createV1(means, name, limits) : createV2(means, name, limits);
  const { folders, outcome, killAtOnce } = group;
  const pids = (): number[] => parsePids(folders.map((folder) => readIfThere(join(folder, 'cgroup.procs'))).join('\n'));
  return {
    name,
    procsFiles: folders.map((folder) => join(folder, 'cgroup.procs')),
    pids: () => [...new Set(pids())],
    outcome,
    async kill() {
      killAtOnce();
      await killAll(pids);
    },
    async remove() {
      const deadline = performance.now() + KILL_MS;
      for (const folder of folders) while (!tryRemove(folder, performance.now() > deadline)) await sleep(5);
    },
  };
}

/** Ends what is in the groups of nodes that were killed, which may be more than the kernel ended with them, and removes the groups. */
export async function removeForgottenCgroups(means: CgroupMeans): Promise<void> {
  const parents = means.version === 1 ? [means.pids, means.memory] : [means.unified];
  for (const parent of parents) {
    for (const name of readdirSync(parent)) {
      const pid = new RegExp(`^${PREFIX}-(\\d+)-\\d+$`).exec(name)?.[1];
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
      const folder = join(parent, name);
      await killAll(() => parsePids(readIfThere(join(folder, 'cgroup.procs'))));
      try {
        rmdirSync(folder);
      } catch (error) {
        // Another node was faster, or somebody is in it whom we cannot end.
        if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
  }
}

/** SIGKILL until nobody is left. Who has it may still be in the list for some milliseconds. */
async function killAll(pids: () => number[]): Promise<void> {
  const deadline = performance.now() + KILL_MS;
  for (let left = pids(); left.length > 0 && performance.now() < deadline; left = pids()) {
    for (const pid of left) killIfThere(pid);
    await sleep(5);
  }
}

/** False while the kernel still holds it for somebody who is ending. */
function tryRemove(folder: string, last: boolean): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (last || (error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    return false;
  }
}

interface Made {
  folders: string[];
  outcome: Cgroup['outcome'];
  killAtOnce(): void;
}

function createV1(means: CgroupMeans & { version: 1 }, name: string, limits: CgroupLimits): Made {
  const memory = join(means.memory, name);
  const pids = join(means.pids, name);
  makeFolders([memory, pids], () => {
    writeFileSync(join(memory, 'memory.limit_in_bytes'), String(limits.memoryBytes));
    // Memory and swap together; a kernel may be built without the count.
    const both = join(memory, 'memory.memsw.limit_in_bytes');
    if (existsSync(both)) writeFileSync(both, String(limits.memoryBytes));
    writeFileSync(join(pids, 'pids.max'), String(limits.processesMax));
  });
  return {
    folders: [memory, pids],
    outcome: () => ({
      outOfMemory: count(readIfThere(join(memory, 'memory.oom_control')), 'oom_kill') > 0,
      outOfProcesses: count(readIfThere(join(pids, 'pids.events')), 'max') > 0,
    }),
    // Nobody can be added while they are killed one by one.
    killAtOnce: () => writeFileSync(join(pids, 'pids.max'), '0'),
  };
}

function createV2(means: CgroupMeans & { version: 2 }, name: string, limits: CgroupLimits): Made {
  const control = join(means.unified, 'cgroup.subtree_control');
  const enabled = readFileSync(control, 'utf8').trim().split(' ');
  if (!enabled.includes('memory') || !enabled.includes('pids')) writeFileSync(control, '+memory +pids');
  const folder = join(means.unified, name);
  makeFolders([folder], () => {
    writeFileSync(join(folder, 'memory.max'), String(limits.memoryBytes));
    const swap = join(folder, 'memory.swap.max');
    if (existsSync(swap)) writeFileSync(swap, '0');
    writeFileSync(join(folder, 'memory.oom.group'), '1');
    writeFileSync(join(folder, 'pids.max'), String(limits.processesMax));
  });
  return {
    folders: [folder],
    outcome: () => ({
      outOfMemory: count(readIfThere(join(folder, 'memory.events')), 'oom_kill') > 0,
      outOfProcesses: count(readIfThere(join(folder, 'pids.events')), 'max') > 0,
    }),
    killAtOnce() {
      const kill = join(folder, 'cgroup.kill'); // since Linux 5.14
      if (existsSync(kill)) writeFileSync(kill, '1');
      else writeFileSync(join(folder, 'pids.max'), '0');
    },
  };
}

/** All or nothing. */
function makeFolders(folders: string[], fill: () => void): void {
  const done: string[] = [];
  try {
    for (const folder of folders) {
      mkdirSync(folder);
      done.push(folder);
    }
    fill();
  } catch (error) {
    for (const folder of done) rmdirSync(folder);
    throw error;
  }
}

/** A line `name 3` of a file of counters; 0 without one. */
function count(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** By controller, and by '' for version 2. */
function cgroupMounts(): Map<string, { folder: string; root: string }> {
  const mounts = new Map<string, { folder: string; root: string }>();
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', folder = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    const place = { folder, root: root === '/' ? '' : root };
    if (type === 'cgroup2') mounts.set('', place);
    if (type === 'cgroup') for (const controller of options.split(',')) mounts.set(controller, place);
  }
  return mounts;
}

function ownCgroups(): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
    const [, controllers = '', ...path] = line.split(':');
    for (const controller of controllers.split(',')) own.set(controller, path.join(':'));
  }
  return own;
}
