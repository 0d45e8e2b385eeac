import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Cgroup } from './cgroup.ts';
import { layersInForce, type SandboxLayer, type SandboxPolicy, type SandboxReport } from './layers.ts';
import { readIfThere } from './processes.ts';
import { isSeccompArch, seccompFilter } from './seccomp.ts';

/** What was made for one plugin before it is started. */
export interface SandboxPlace {
  /** Absolute. */
  executable: string;
  /** Its own folder for sockets and temporary files. */
  scratchDir: string;
  /** Its own user, where there is one. */
  uid: number | null;
  cgroup: Pick<Cgroup, 'procsFiles'> | null;
}

/** How to start a plugin so that it is inside of its sandbox. */
export interface SandboxPlan {
  /** Words before the command. */
  prefix: string[];
  /** Has to be readable on descriptor 3, from a pipe: the filter of system calls. */
  descriptor3: Buffer | null;
  /** For the plugin's environment: how much memory the runtimes of Go and Node may think they have. */
  env: Record<string, string>;
  layers: SandboxLayer[];
}

export const FILE_BYTES_DEFAULT = 64 * 1_048_576;
/** Node.js sets 512 MiB aside for compiled code and 8 MiB for each thread's stack; a limit on data counts them though nobody uses them. */
const RESERVED_BYTES = 640 * 1_048_576;
const HEAP_SHARE = 0.75;
const GO_SHARE = 0.9;

/** Programs, libraries and what they need to find names and to trust certificates. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64'];
const SETTINGS = [
  'alternatives',
  'ca-certificates',
  'crypto-policies',
  'gai.conf',
  'host.conf',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'pki/ca-trust',
  'pki/tls',
  'protocols',
  'resolv.conf',
  'services',
  'ssl/cert.pem',
  'ssl/certs',
  'ssl/openssl.cnf',
].map((name) => `/etc/${name}`);

/**
 * The words that put a plugin into its sandbox; each layer by the outermost program that can do it, so that no layer takes away what
 * the next one needs. Throws AppError `PLUGIN.SANDBOX` when a layer is missing that the policy asks for.
 */
export function planSandbox(report: SandboxReport, policy: SandboxPolicy, place: SandboxPlace): SandboxPlan {
  const layers = layersInForce(report, policy);
  const has = new Set(layers);
  return {
    prefix: [
      ...privilegeWords(report, has),
      ...startWords(place, has),
      ...(has.has('limits') ? limitWords(report, policy, has) : []),
      ...(has.has('namespaces') ? bwrapWords(report, policy, place, has) : []),
      ...userWords(report, policy, place, has),
    ],
    descriptor3: has.has('seccomp') && isSeccompArch(process.arch) ? seccompFilter(process.arch) : null,
    env: {
      GOMEMLIMIT: String(Math.floor(policy.memoryBytes * GO_SHARE)),
      NODE_OPTIONS: `--max-old-space-size=${Math.max(16, Math.floor((policy.memoryBytes * HEAP_SHARE) / 1_048_576))}`,
    },
    layers,
  };
}

type Has = ReadonlySet<SandboxLayer>;

/** First, so that from here on nothing outlives the node; the words after it change no user, which would undo it. */
function privilegeWords({ means }: SandboxReport, has: Has): string[] {
  // What a node without root was given is not for its plugins; a change of user needs it and then gives it up.
  const keepsNothing = has.has('no-new-privs') && !has.has('uid') ? ['--inh-caps=-all', '--ambient-caps=-all'] : [];
  const words = [...privileges(has), ...keepsNothing];
  return words.length === 0 ? [] : [means.setpriv as string, ...words, '--'];
}

function privileges(has: Has): string[] {
  return [...(has.has('parent-death') ? ['--pdeathsig', 'KILL'] : []), ...(has.has('no-new-privs') ? ['--no-new-privs'] : [])];
}

/**
 * Before anything of the plugin runs, the process moves itself into the cgroup. A node that died before the kernel was asked to tell of its
 * death is seen by another parent.
 */
function startWords({ cgroup }: SandboxPlace, has: Has): string[] {
  if (!has.has('parent-death') && !has.has('cgroup')) return [];
  const parent = has.has('parent-death') ? String(process.pid) : '';
  const files = has.has('cgroup') ? (cgroup?.procsFiles ?? []) : [];
  const start =
    '[ -z "$1" ] || [ "$1" = "$PPID" ] || exit 126; n=$2; shift 2; while [ "$n" -gt 0 ]; do echo 0 >"$1" || exit 126; shift; n=$((n - 1)); done; exec "$@"';
  return ['/bin/sh', '-c', start, 'start', parent, String(files.length), ...files];
}

function limitWords({ means }: SandboxReport, policy: SandboxPolicy, has: Has): string[] {
  const limits: Record<string, number> = {
    // Not the address space: WebAssembly sets aside gigabytes of it.
    data: policy.memoryBytes + RESERVED_BYTES,
    nofile: policy.filesMax,
    fsize: policy.fileBytesMax ?? FILE_BYTES_DEFAULT,
    core: 0,
    memlock: 0,
    // Counted by user: with the node's own user it would count the node.
    ...(has.has('uid') ? { nproc: policy.processesMax } : {}),
  };
  const lowered = withinHardLimits(limits, readIfThere('/proc/self/limits'));
  return [means.prlimit as string, ...Object.entries(lowered).map(([name, value]) => `--${name}=${value}`), '--'];
}

const HARD_LIMITS: Record<string, string> = { data: 'Max data size', nofile: 'Max open files', fsize: 'Max file size', nproc: 'Max processes' };

/** No limit above the node's own hard one, which a node without root could not set. `table` is a text as in `/proc/self/limits`. */
export function withinHardLimits(limits: Readonly<Record<string, number>>, table: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(limits).map(([name, value]) => {
      const hard = new RegExp(`^${HARD_LIMITS[name]} +\\S+ +(\\d+) `, 'm').exec(table)?.[1];
      return [name, hard === undefined ? value : Math.min(value, Number(hard))];
    }),
  );
}

function bwrapWords({ means }: SandboxReport, policy: SandboxPolicy, place: SandboxPlace, has: Has): string[] {
  const own = means.setpriv === null ? [] : [means.setpriv]; // it is used once more inside
  const readOnly = [...own, process.execPath, place.executable, ...(policy.readOnly ?? [])].filter(isOutsideSystem);
  const writable = writableFolders(policy, place);
  return [
    means.bwrap as string,
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(policy.network === 'none' ? ['--unshare-net'] : []),
    ...(has.has('uid') ? keepForUserChange() : ['--unshare-user', '--cap-drop', 'ALL']),
    '--die-with-parent',
    '--new-session',
    '--hostname',
    'plugin',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    ...foldersAbove([...SETTINGS, ...readOnly, ...writable]).flatMap((folder) => ['--perms', '0755', '--dir', folder]),
    ...[...SYSTEM, ...SETTINGS].flatMap((path) => ['--ro-bind-try', path, path]),
    ...readOnly.flatMap((path) => ['--ro-bind', path, path]),
    ...writable.flatMap((path) => ['--bind', path, path]),
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
    '--chdir',
    '/',
    ...(has.has('seccomp') ? ['--seccomp', '3'] : []),
    '--',
  ];
}

/** bwrap stays the node's user, who can reach every file to be shown; what it keeps is given up by the words that change the user. */
function keepForUserChange(): string[] {
  return ['--cap-drop', 'ALL', ...['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((capability) => ['--cap-add', capability])];
}

/** Last, since a user of its own can do nothing of the above. The kernel forgets the parent's death at a change of user: once more. */
function userWords({ means }: SandboxReport, policy: SandboxPolicy, place: SandboxPlace, has: Has): string[] {
  const words = [...(has.has('uid') ? ownUser(place.uid as number) : []), ...(has.has('landlock') ? landlockWords(policy, place) : [])];
  return words.length === 0 ? [] : [means.setpriv as string, ...privileges(has), ...words, '--'];
}

function ownUser(uid: number): string[] {
  return ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];
}

/** Everything below a path: what may be done with the files there is said, all else of the file system is closed. */
function landlockWords(policy: SandboxPolicy, place: SandboxPlace): string[] {
  const readable = [...SYSTEM, ...SETTINGS, '/proc', process.execPath, place.executable, ...(policy.readOnly ?? [])].filter((path) => existsSync(path));
  const rules = [
    ...readable.map((path) => `path-beneath:execute,read-file${statSync(path).isDirectory() ? ',read-dir' : ''}:${path}`),
    'path-beneath:read-file,read-dir,write-file:/dev',
    ...writableFolders(policy, place).map(
      (path) =>
        `path-beneath:execute,read-file,read-dir,write-file,truncate,remove-dir,remove-file,make-dir,make-reg,make-sock,make-fifo,make-sym,refer:${path}`,
    ),
  ];
  return ['--landlock-access', 'fs', ...rules.flatMap((rule) => ['--landlock-rule', rule])];
}

/** Where a plugin may write. */
export function writableFolders(policy: SandboxPolicy, place: Pick<SandboxPlace, 'scratchDir'>): string[] {
  return [place.scratchDir, ...(policy.dataDir === undefined ? [] : [policy.dataDir])];
}

function isOutsideSystem(path: string): boolean {
  return !SYSTEM.some((folder) => path.startsWith(`${folder}/`));
}

/** Every folder on the way to these paths, from the top. They are made empty and open, since the real ones may be closed to the plugin. */
function foldersAbove(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) found.add(folder);
  return [...found].sort((a, b) => a.length - b.length);
}
