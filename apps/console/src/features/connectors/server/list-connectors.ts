import { withTenant } from '@vrsky/db/client';
import type { TenantContext } from '../../../server/context.ts';
import { listSeenNodes } from '../../nodes/server/seen-nodes.ts';
import type { ConnectorDetail, ConnectorsView } from '../types.ts';
import { isProcessOf, listProcesses } from './list-processes.ts';
import { listUses } from './list-uses.ts';
import { mergeOffers, releaseFor } from './merge-offers.ts';
import { connectorNotFound, getSchemas, readOffers } from './read-offers.ts';

/** The connectors that the nodes of the tenant's pool offer, with what runs of them for the tenant. */
export async function listConnectors(ctx: TenantContext): Promise<ConnectorsView> {
  const { tenantId } = ctx;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const nowMs = Date.now();
    const nodes = await readOffers(tx, nowMs);
    const processes = listProcesses(await listSeenNodes(tx, tenantId, nowMs));
    const uses = await listUses(tx, tenantId);
    return {
      connectors: mergeOffers(nodes).map((connector) => ({
        ...connector,
        processes: processes.filter((process) => isProcessOf(process, connector.name)),
        pipelines: uses.get(connector.name)?.length ?? 0,
      })),
      problems: nodes.flatMap(({ node, problems }) => problems.map((problem) => ({ nodeId: node.id, nodeName: node.name, ...problem }))),
      liveNodes: nodes.filter(({ node }) => node.liveness === 'live').length,
    };
  });
}

/** One connector with the settings of one release: the one asked for, else the newest. Throws `CONNECTOR.NOT_FOUND`. */
export async function getConnector(ctx: TenantContext, { name, release: wanted }: { name: string; release?: string | undefined }): Promise<ConnectorDetail> {
  const { tenantId } = ctx;
  return withTenant(ctx.db, tenantId, async (tx) => {
    const nowMs = Date.now();
    const connector = mergeOffers(await readOffers(tx, nowMs)).find((item) => item.name === name);
    const release = connector && releaseFor(connector, wanted);
    if (!connector || !release) throw connectorNotFound(name);
    const usedBy = (await listUses(tx, tenantId)).get(name) ?? [];
    return {
      ...connector,
      release: { version: release.version, digest: release.digest },
      settingsSchemas: await getSchemas(tx, { name, digest: release.digest }),
      processes: listProcesses(await listSeenNodes(tx, tenantId, nowMs)).filter((process) => isProcessOf(process, name)),
      pipelines: usedBy.length,
      usedBy,
    };
  });
}
