import type { ConnectorManifest } from '@vrsky/contracts/connector-manifest';
import { AppError } from '@vrsky/kernel/errors';
import type { Log } from '@vrsky/kernel/log';
import { findClosedFolder, type Sandbox } from '@vrsky/plugin/sandbox/confine';
import { layersInForce, type SandboxLayer, type SandboxReport, sandboxLayers } from '@vrsky/plugin/sandbox/layers';

/** What one connector needs, and what its tenant asks for. */
export interface ConfinementNeeds {
  manifest: Pick<ConnectorManifest, 'network' | 'memoryMiB' | 'processes'>;
  /** A folder that it may write; none when left out. */
  dataDir?: string;
  /** Layers of the sandbox without which it must not run. */
  minimum: readonly string[];
}

/** Answers what a connector is kept in. Throws AppError `PLUGIN.SANDBOX` when this node has less than is asked for. */
export type Confine = (needs: ConfinementNeeds) => Sandbox;

const MEMORY_MIB_DEFAULT = 256;
/** A connector on Node.js has some thirty threads. */
const PROCESSES_DEFAULT = 64;
const FILES_MAX = 1_024;

/** `minimum`: what the platform asks for every connector, beside what a tenant may ask. */
export function createConfine(report: SandboxReport, minimum: readonly SandboxLayer[]): Confine {
  return ({ manifest, dataDir, minimum: asked }) => {
    const unknown = asked.filter((name) => !isLayer(name));
    if (unknown.length > 0)
      throw new AppError({
        code: 'PLUGIN.SANDBOX',
        kind: 'precondition',
        source: 'plugin',
        message: `this node knows no layer of the sandbox called ${unknown.join(', ')}`,
        publicMessage: `This node does not know the layer of protection that your organisation asks for (${unknown.join(', ')}). Nothing runs with less than is asked for.`,
      });
    const policy = {
      network: manifest.network,
      memoryBytes: (manifest.memoryMiB ?? MEMORY_MIB_DEFAULT) * 1_048_576,
      processesMax: manifest.processes ?? PROCESSES_DEFAULT,
      filesMax: FILES_MAX,
      ...(dataDir === undefined ? {} : { dataDir }),
      minimum: [...new Set([...minimum, ...asked.filter(isLayer)])],
    };
    layersInForce(report, policy); // refused here, not at every start
    return { report, policy };
  };
}

export function isLayer(name: string): name is SandboxLayer {
  return (sandboxLayers as readonly string[]).includes(name);
}

/**
 * The folder for files of a connector that can do without one; undefined, and it is said why, where this machine's layers keep the connector's own
 * user from it.
 */
export async function findDataDir(report: SandboxReport, dir: string, log: Log): Promise<string | undefined> {
  const { uid, namespaces } = report.layers;
  const closed = uid.available && !namespaces.available ? await findClosedFolder(dir) : null;
  if (closed === null) return dir;
  log.warn({ dir, closed }, 'a connector keeps nothing on disk: its user does not get to its folder (chmod o+x, another state folder, or bubblewrap)');
  return undefined;
}
