import { execFile } from 'node:child_process';
import { chown, lchown, lstat, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Cgroup, createCgroup } from './cgroup.ts';
import { layersInForce, type SandboxPolicy, type SandboxReport, sandboxRefusal } from './layers.ts';
import { FILE_BYTES_DEFAULT, planSandbox, type SandboxPlan, writableFolders } from './plan.ts';
import { processesOfUid } from './processes.ts';
import { type TakenUid, takeUid } from './uids.ts';

/** What a node found out about itself at its start, and what it allows one plugin. */
export interface Sandbox {
  report: SandboxReport;
  policy: SandboxPolicy;
  /** Another process still works in the data folder: it stays that one's until `takeDataDir`. */
  isSuccessor?: boolean;
}

/** All that was made for one plugin's sandbox. */
export interface Confinement {
  readonly plan: SandboxPlan;
  /** Processes that are known by the sandbox itself, wherever they hung themselves in the tree. */
  pids(): number[];
  /** Why it ended, in words for a person, where the kernel or the status tells. Asked before anything is killed. */
  reasonOf(exit: { code: number | null; signal: NodeJS.Signals | null }): string | undefined;
  /** Makes the data folder the plugin's own, where it is a successor. */
  takeDataDir(): Promise<void>;
  /** SIGKILL to every process of the plugin that the sandbox can name. */
  endAll(): Promise<void>;
  /** Gives back what was made, once nobody is left. */
  release(): Promise<void>;
}

/**
 * Makes what a plugin's sandbox needs: its user, its cgroup, its folders handed over to that user. Throws AppError `PLUGIN.SANDBOX` when
 * the policy asks for more than the machine has, or when the plugin could not run in it; nothing is left then.
 */
export async function confine({ report, policy, isSuccessor = false }: Sandbox, place: { executable: string; scratchDir: string }): Promise<Confinement> {
  const has = new Set(layersInForce(report, policy));
  await using made = new AsyncDisposableStack();
  let uid: TakenUid | null = null;
  if (has.has('uid')) {
    uid = await takeUid();
    made.defer(uid.release);
    await chown(place.scratchDir, uid.uid, uid.uid);
  }
  const takeDataDir = async (): Promise<void> => {
    if (policy.dataDir !== undefined) await handOver(policy.dataDir, uid?.uid ?? null);
  };
  if (!isSuccessor) await takeDataDir();
  if (uid !== null) {
    await requireExecutable(place.executable, uid.uid);
    const linked = await realpath(place.executable).catch(() => place.executable);
    const paths = [place.executable, linked, ...writableFolders(policy, place)];
    // In a mount namespace the folders above them are not the real ones.
    if (!has.has('namespaces')) for (const path of paths) await requireWay(path, uid.uid);
  }
  let cgroup: Cgroup | null = null;
  if (has.has('cgroup') && report.means.cgroup !== null) {
    cgroup = createCgroup(report.means.cgroup, policy);
    made.defer(cgroup.remove);
  }
  const plan = planSandbox(report, policy, { ...place, uid: uid?.uid ?? null, cgroup });
  const keep = made.move();
  return {
    plan,
    takeDataDir,
    pids: () => cgroup?.pids() ?? (uid === null || has.has('namespaces') ? [] : processesOfUid(uid.uid)),
    reasonOf: (exit) => reasonOf(exit, policy, cgroup),
    async endAll() {
      if (cgroup !== null) await cgroup.kill();
      // A pid namespace ends with the process that was started.
      else if (uid !== null && !has.has('namespaces')) await killUser(report.means.setpriv as string, uid.uid);
    },
    release: () => keep.disposeAsync(),
  };
}

function reasonOf(exit: { code: number | null; signal: NodeJS.Signals | null }, policy: SandboxPolicy, cgroup: Cgroup | null): string | undefined {
  if (exit.code === 0) return undefined;
  const { outOfMemory, outOfProcesses } = cgroup?.outcome() ?? { outOfMemory: false, outOfProcesses: false };
  if (outOfMemory) return `It used more than the ${inWords(policy.memoryBytes)} of memory that it has, and the kernel ended it.`;
  if (exit.signal === 'SIGXFSZ') return `It wrote a file larger than the ${inWords(policy.fileBytesMax ?? FILE_BYTES_DEFAULT)} that it may write.`;
  if (exit.signal === 'SIGSYS') return 'It made a system call that no connector makes, and the kernel ended it.';
  if (outOfProcesses) return `It asked for more than the ${policy.processesMax} processes and threads that it may have.`;
  return undefined;
}

const inWords = (bytes: number): string => (bytes < 1_048_576 ? `${bytes} bytes` : `${Math.round(bytes / 1_048_576)} MiB`);

/** In one call of the kernel, so that no process of that user can escape by forking. Nobody else has the user: see `takeUid`. */
async function killUser(setpriv: string, uid: number): Promise<void> {
  if (processesOfUid(uid).length === 0) return;
  const words = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--', '/bin/sh', '-c', 'kill -9 -1 || true'];
  await promisify(execFile)(setpriv, words);
}

async function requireExecutable(executable: string, uid: number): Promise<void> {
  const file = await stat(executable).catch(() => null);
  if (file === null || (file.mode & 0o005) === 0o005) return; // one that is not there is told by whoever starts it
  throw sandboxRefusal(`the plugin's own user ${uid} cannot run ${executable}: not everybody may read and execute it (chmod 0755)`);
}

/** A plugin whose user does not get to its files would only say "Permission denied"; here is which folder is in the way. */
async function requireWay(path: string, uid: number): Promise<void> {
  const folder = await findClosedFolder(path);
  if (folder === null) return;
  throw sandboxRefusal(
    `the plugin's own user ${uid} does not get to ${path}: ${folder} is closed to other users (chmod o+x, another folder, or bubblewrap, which shows it)`,
  );
}

/** The folder that keeps a user of a plugin's own from a path, where it is not shown to it by a mount namespace. */
export async function findClosedFolder(path: string): Promise<string | null> {
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => null);
    if (info !== null && (info.mode & 0o001) === 0) return folder;
  }
  return null;
}

/** Makes the plugin's folder its user's, with all that belonged to the user it had last. */
async function handOver(folder: string, uid: number | null): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o711 }); // its user gets through, and sees nothing of others
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (uid === null) return;
  const last = (await stat(folder)).uid;
  if (last === uid) return;
  await handOverBelow(folder, last, uid);
  await chown(folder, uid, uid);
}

/** Only what was the last user's, and never through a link of either kind: whatever else is in the folder stays what it is. */
async function handOverBelow(folder: string, last: number, uid: number): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    const info = await lstat(path);
    if (info.isDirectory()) await handOverBelow(path, last, uid);
    if (info.uid === last && (info.isDirectory() || info.nlink === 1)) await lchown(path, uid, uid);
  }
}
