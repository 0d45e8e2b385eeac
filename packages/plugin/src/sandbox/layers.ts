import { AppError } from '@vrsky/kernel/errors';
import type { CgroupMeans } from './cgroup.ts';

/** The layers of a plugin's sandbox, in the order in which they are put on. The names are used in policies, metrics and on pages. */
export const sandboxLayers = ['environment', 'parent-death', 'no-new-privs', 'cgroup', 'limits', 'namespaces', 'seccomp', 'uid', 'landlock'] as const;
export type SandboxLayer = (typeof sandboxLayers)[number];

export interface LayerReport {
  available: boolean;
  /** For who runs the node: what the layer does here, or why it is missing and what to do. */
  detail: string;
}

/** With what the layers are put on; paths of programs, null where there is none. */
export interface SandboxMeans {
  setpriv: string | null;
  prlimit: string | null;
  bwrap: string | null;
  cgroup: CgroupMeans | null;
}

/** What this machine can do for the plugins of a node. Plain JSON; nothing of it is secret. */
export interface SandboxReport {
  layers: Record<SandboxLayer, LayerReport>;
  means: SandboxMeans;
}

/** What one plugin may do and use. */
export interface SandboxPolicy {
  /** `none`: a network of its own with nothing in it but its own loopback. `direct`: the node's network. */
  network: 'none' | 'direct';
  /** All its processes together where there is a cgroup; else, more loosely, each of them. */
  memoryBytes: number;
  /** Processes and threads together, as the kernel counts them. A connector on Node.js needs 32. */
  processesMax: number;
  /** Open descriptors of each process. */
  filesMax: number;
  /** The largest file it may write. 64 MiB when left out. */
  fileBytesMax?: number;
  /** A folder that it may write and that outlives it; made when it is missing. */
  dataDir?: string;
  /** Files and folders that it may read beside its executable and the system's programs and libraries. */
  readOnly?: readonly string[];
  /** Layers without which it must not run. */
  minimum: readonly SandboxLayer[];
}

/**
 * The layers that are in force for a policy. Throws AppError `PLUGIN.SANDBOX` when one that the policy asks for is missing: a plugin
 * never runs with less than it was promised to.
 */
export function layersInForce(report: SandboxReport, policy: SandboxPolicy): SandboxLayer[] {
  const wanted = new Set(policy.minimum);
  // Without namespaces nothing keeps a plugin from the network.
  if (policy.network === 'none') wanted.add('namespaces');
  const missing = sandboxLayers.filter((layer) => wanted.has(layer) && !report.layers[layer].available);
  if (missing.length === 0) return sandboxLayers.filter((layer) => report.layers[layer].available);
  const reasons = missing.map((layer) => `${layer} (${report.layers[layer].detail})`).join('; ');
  throw sandboxRefusal(`the policy asks for layers of the sandbox that this node does not have: ${reasons}`, missing);
}

/** A plugin that is not started, since its sandbox cannot be made as it must be. */
export function sandboxRefusal(message: string, missing: readonly SandboxLayer[] = [], cause?: unknown): AppError {
  const named = missing.length === 0 ? '' : ` (${missing.join(', ')})`;
  return new AppError({
    code: 'PLUGIN.SANDBOX',
    kind: 'precondition',
    source: 'plugin',
    message,
    publicMessage: `This connector is not started: its node cannot give it the protection that its rules ask for${named}. Choose another pool, or tell the platform’s operator.`,
    details: { missing },
    cause,
  });
}
