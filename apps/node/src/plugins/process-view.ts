import type { ConnectorState } from '@vrsky/contracts/node-status';
import type { ConnectorHost, ConnectorStats } from './connector-host.ts';
import type { ConnectorConnection } from './connector-session.ts';

/** One connector process, as the metrics see it. */
export interface ProcessView {
  /** Unique for each start; empty while none runs. */
  processId: string;
  connector: string;
  /** Empty until it has said so. */
  version: string;
  digest: string;
  /** Whose process it is; null for one that all tenants share. */
  tenantId: string | null;
  /** None until it has said so. */
  roles: ConnectorConnection['role'][];
  pid: number | null;
  state: ConnectorState['state'];
  /** Starts after the first one, since the node was started. */
  restarts: number;
  /** Of the last start; 0 before it. */
  handshakeMs: number;
  logBytesDropped: number;
  /** Ids of senders that a source could not bring to disk, since the node was started. */
  unwrittenIds: number;
  /** Results that answered nothing, by kind, since the node was started. */
  strays: ConnectorStats['strays'];
}

export function viewOf(connector: string, host: ConnectorHost): ProcessView {
  const { version, tenantId, pid, state, restarts } = host.state();
  const { handshakeMs, processId, ...counts } = host.stats();
  const { logBytesDropped, unwrittenIds, strays } = counts;
  const roles = host.description?.roles ?? [];
  return {
    ...{ processId, connector, version, digest: host.release.digest, tenantId, roles, pid, state, restarts },
    ...{ handshakeMs, logBytesDropped, unwrittenIds, strays },
  };
}
