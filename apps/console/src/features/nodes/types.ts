import type { Fence } from '@vrsky/contracts/bundle';
import type { ConnectorState, NodeLiveness } from '@vrsky/contracts/node-status';

export interface NodeView {
  id: string;
  name: string;
  pool: string;
  version: string;
  liveness: NodeLiveness;
  startedAt: string | null;
  lastSeenAt: string | null;
  enrolledAt: string;
  /** Processes that tenants share, and the own ones of the tenant who looks. */
  connectors: ConnectorState[];
  /** What it can hold connectors with, and why not with the rest. */
  sandbox: { layer: string; available: boolean; detail: string }[];
  /** Of the tenant who looks. */
  desired: Fence | null;
  received: Fence | null;
  applied: Fence | null;
  rejected: { code: string; reason: string; at: string } | null;
  pipelines: { pipelineId: string; name: string; revision: number; state: 'running' | 'failed'; reason: string | null }[];
}

/** The tick of one node on a published revision. */
export type RolloutState = 'sent' | 'received' | 'applied' | 'rejected' | 'silent';
export interface RolloutView {
  nodeId: string;
  nodeName: string;
  state: RolloutState;
  /** Why not, in words, when rejected or failed. */
  reason: string | null;
  at: string | null;
}
