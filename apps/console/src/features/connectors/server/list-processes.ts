import type { NodeRow } from '../../nodes/server/seen-nodes.ts';
import type { ConnectorProcessView } from '../types.ts';

/** The connector processes on these nodes: the tenant's own and shared ones, those in trouble first. */
export function listProcesses(nodes: NodeRow[]): ConnectorProcessView[] {
  const all = nodes.flatMap((node) =>
    node.connectors.map(
      ({ tenantId, reason, ...process }): ConnectorProcessView => ({
        ...process,
        nodeId: node.id,
        nodeName: node.name,
        nodeLiveness: node.liveness,
        shared: tenantId === null,
        reason: reason ?? null,
      }),
    ),
  );
  return all.sort((a, b) => Number(a.state === 'running') - Number(b.state === 'running'));
}

/** A node that gives a connector a process for each role says which: `http source`. */
export function isProcessOf(process: { name: string }, connector: string): boolean {
  return process.name === connector || process.name.startsWith(`${connector} `);
}
