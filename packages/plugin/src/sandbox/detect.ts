import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { describeError } from '@vrsky/kernel/errors';
import { type CgroupMeans, cgroupCandidates, createCgroup, removeForgottenCgroups } from './cgroup.ts';
import { confine } from './confine.ts';
import { feed, pluginStdio } from './descriptors.ts';
import { type LayerReport, type SandboxLayer, type SandboxMeans, type SandboxPolicy, type SandboxReport, sandboxLayers } from './layers.ts';
import { isSeccompArch } from './seccomp.ts';

export interface DetectOptions {
  /** Path of bubblewrap. Left out: found on `path`. */
  bwrap?: string;
  /** Folders as in PATH, which are looked at first: a setpriv or a bubblewrap newer than the system's may be there. */
  path?: string;
}

/** Where util-linux has its programs. */
const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];
const PROBE_MS = 10_000;
const probePolicy: SandboxPolicy = { network: 'direct', memoryBytes: 67_108_864, processesMax: 16, filesMax: 64, minimum: [] };

/**
 * What this machine can do for plugins. Each layer is tried once, by running a small program inside it, since versions and settings
 * do not tell. Takes about 200 ms; never rejects for a layer that does not work.
 */
export async function detectSandbox(options: DetectOptions = {}): Promise<SandboxReport> {
  const report = nothing();
  const set = (layer: SandboxLayer, problem: string | null, works: string): void => {
    report.layers[layer] = problem === null ? { available: true, detail: works } : { available: false, detail: problem };
  };
  set('environment', null, 'A plugin gets an environment of its own; nothing of the node’s.');
  if (process.platform !== 'linux') return report;

  const { means } = report;
  const folders = [...(options.path ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  means.setpriv = find('setpriv', folders);
  means.prlimit = find('prlimit', folders);
  means.bwrap = options.bwrap ?? find('bwrap', folders);

  set('parent-death', await tryParentDeath(report), 'The kernel ends a plugin when its node ends, however that comes.');
  set('no-new-privs', await tryNoNewPrivs(report), 'No program that a plugin starts has more rights than the plugin.');
  set('cgroup', await tryCgroup(report), 'Memory and processes of a plugin are limited and counted together, and end together.');
  set('limits', await tryLimits(report), 'Memory, descriptors, size of files, core dumps and locked memory of each process are limited.');
  set('uid', await tryUid(report), 'Each plugin has a user id of its own and no capabilities.');
  set('namespaces', await tryNamespaces(report), 'A plugin sees its own processes, its own files and, where its policy says so, no network.');
  set('seccomp', await trySeccomp(report), 'System calls that no connector needs are refused.');
  set('landlock', await tryLandlock(report), 'The kernel refuses files outside of what the plugin may use, whoever owns them.');
  return report;
}

function nothing(): SandboxReport {
  const off: LayerReport = { available: false, detail: `There is no such layer on ${process.platform}: run the node on Linux.` };
  return {
    layers: Object.fromEntries(sandboxLayers.map((layer) => [layer, off])) as SandboxReport['layers'],
    means: { setpriv: null, prlimit: null, bwrap: null, cgroup: null },
  };
}

const NO_SETPRIV = 'There is no setpriv: install util-linux.';

async function tryParentDeath({ means }: SandboxReport): Promise<string | null> {
  if (means.setpriv === null) return NO_SETPRIV;
  return problem(await attempt(means, ['parent-death'], 'true'), 'Look at the setpriv of this machine (util-linux 2.33 or newer)');
}

async function tryNoNewPrivs({ means }: SandboxReport): Promise<string | null> {
  if (means.setpriv === null) return NO_SETPRIV;
  return problem(await attempt(means, ['no-new-privs'], 'grep -q "^NoNewPrivs:.1" /proc/self/status'), 'Linux 3.5 or newer is needed');
}

async function tryLimits({ means }: SandboxReport): Promise<string | null> {
  if (means.prlimit === null) return 'There is no prlimit: install util-linux.';
  const check = `[ "$(ulimit -n)" = ${probePolicy.filesMax} ] && [ "$(ulimit -c)" = 0 ]`;
  return problem(await attempt(means, ['limits'], check), 'The node itself may be limited to less: raise its limits (systemd: LimitNOFILE=)');
}

/** What a node needs to start, feed and end processes of another user. */
const CAPABILITIES = { CAP_CHOWN: 0, CAP_DAC_OVERRIDE: 1, CAP_FOWNER: 3, CAP_KILL: 5, CAP_SETGID: 6, CAP_SETUID: 7, CAP_SETPCAP: 8 };

async function tryUid({ means }: SandboxReport): Promise<string | null> {
  if (means.setpriv === null) return NO_SETPRIV;
  const effective = BigInt(`0x${/^CapEff:\s+(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  const lacking = Object.entries(CAPABILITIES).filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n);
  if (lacking.length > 0)
    return `The node runs as user ${process.getuid?.()} without ${lacking.map(([name]) => name).join(', ')}: run it as root or give it these, as ambient capabilities.`;
  const check = '[ "$(id -u)" -ge 20000 ] && [ "$(id -G)" = "$(id -u)" ] && : >"$SCRATCH/made" && grep -q "^CapBnd:.0*$" /proc/self/status';
  return problem(await attempt(means, ['uid'], check), 'The node must be in the first user namespace, or in one that has the ids from 20000 on');
}

async function tryCgroup({ means }: SandboxReport): Promise<string | null> {
  const problems: string[] = [];
  for (const candidate of cgroupCandidates()) {
    const found = await tryCgroupAt({ ...means, cgroup: candidate });
    if (found === null) {
      means.cgroup = candidate;
      await removeForgottenCgroups(candidate);
      return null;
    }
    problems.push(`version ${candidate.version}: ${found}`);
  }
  const advice =
    'give the node a cgroup with the controllers memory and pids that it may write (systemd: Delegate=memory pids, DelegateSubgroup=node; container: its own writable cgroup)';
  return `No cgroup can be made for a plugin (${problems.join('; ') || 'none is mounted'}): ${advice}.`;
}

async function tryCgroupAt(means: SandboxMeans & { cgroup: CgroupMeans }): Promise<string | null> {
  try {
    await createCgroup(means.cgroup, probePolicy).remove();
  } catch (error) {
    return (error as Error).message;
  }
  return await attempt(means, ['cgroup'], 'grep -q "vrsky-" /proc/self/cgroup');
}

async function tryNamespaces(report: SandboxReport): Promise<string | null> {
  const { means } = report;
  if (means.bwrap === null) return 'There is no bubblewrap: install the package bubblewrap, or name the program in VRSKY_BWRAP.';
  if (!existsSync(means.bwrap)) return `There is no bubblewrap at ${means.bwrap}: correct VRSKY_BWRAP.`;
  const own = (kind: string): string => `[ "$(readlink /proc/self/ns/${kind})" != "${readlinkSync(`/proc/self/ns/${kind}`)}" ]`;
  const check = `${['pid', 'mnt', 'ipc', 'uts', 'net'].map(own).join(' && ')} && [ ! -e /proc/${process.pid}/exe ]`;
  const found = await attempt(means, [...asStarted(report), 'namespaces'], check, { network: 'none' });
  if (report.layers.uid.available && process.geteuid?.() !== 0)
    return problem(found, 'bubblewrap refuses users that are not root and have capabilities: run the node as root, or without them');
  return problem(
    found,
    'Allow user namespaces to the node (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0, in a pod hostUsers: false and procMount: Unmasked), or run it as root with CAP_SYS_ADMIN',
  );
}

async function trySeccomp(report: SandboxReport): Promise<string | null> {
  if (!isSeccompArch(process.arch)) return `There is no list of system calls for ${process.arch}: use x86-64 or arm64.`;
  if (!report.layers.namespaces.available) return 'It is put on by bubblewrap, which does not work here: see namespaces.';
  return problem(
    await attempt(report.means, [...asStarted(report), 'namespaces', 'seccomp'], 'grep -q "^Seccomp:.2" /proc/self/status'),
    'The kernel needs CONFIG_SECCOMP_FILTER',
  );
}

async function tryLandlock({ means }: SandboxReport): Promise<string | null> {
  if (means.setpriv === null) return NO_SETPRIV;
  const help = await run([means.setpriv, '--help'], null, {});
  if (!help.output.includes('--landlock-access')) return 'The setpriv of this machine cannot ask for it: install util-linux 2.40 or newer.';
  return problem(
    await attempt(means, ['no-new-privs', 'landlock'], `! ls ${process.cwd()} && : >"$SCRATCH/made"`),
    'The kernel needs CONFIG_SECURITY_LANDLOCK and landlock in its list of security modules (lsm=)',
  );
}

/** The layers that decide as whom bubblewrap runs. */
function asStarted(report: SandboxReport): SandboxLayer[] {
  return (['no-new-privs', 'uid'] as const).filter((layer) => report.layers[layer].available);
}

/** Runs a line of shell inside exactly these layers, made as for a plugin; answers null when it ends well, else what stood in its way. */
async function attempt(means: SandboxMeans, layers: SandboxLayer[], check: string, policy: Partial<SandboxPolicy> = {}): Promise<string | null> {
  const report = nothing();
  for (const layer of layers) report.layers[layer] = { available: true, detail: '' };
  try {
    return await attemptIn({ ...report, means }, check, { ...probePolicy, ...policy });
  } catch (error) {
    return describeError(error);
  }
}

async function attemptIn(report: SandboxReport, check: string, policy: SandboxPolicy): Promise<string | null> {
  await using made = new AsyncDisposableStack();
  const scratchDir = await mkdtemp(join(tmpdir(), 'vrsky-s-'));
  made.defer(() => rm(scratchDir, { recursive: true, force: true }));
  const confinement = await confine({ report, policy }, { executable: '/bin/sh', scratchDir });
  made.defer(confinement.release);
  made.defer(confinement.endAll);
  const { plan } = confinement;
  const { code, output } = await run([...plan.prefix, '/bin/sh', '-c', check], plan.descriptor3, { SCRATCH: scratchDir });
  return code === 0 ? null : (output.trim().split('\n').at(-1) ?? '') || `a trial ended with status ${code}`;
}

function problem(found: string | null, advice: string): string | null {
  return found === null ? null : `It does not work here (${found}). ${advice}.`;
}

function run(words: string[], descriptor3: Buffer | null, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const [command, ...args] = words as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: '/',
      env: { PATH: SYSTEM_FOLDERS.join(':'), ...env },
      stdio: pluginStdio(descriptor3),
      timeout: PROBE_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
    feed(child.stdio[3], descriptor3);
  });
}

function find(name: string, folders: readonly string[]): string | null {
  return (
    folders
      .filter((folder) => isAbsolute(folder))
      .map((folder) => join(folder, name))
      .find((file) => existsSync(file)) ?? null
  );
}
