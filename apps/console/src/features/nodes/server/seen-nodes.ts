import { type ConnectorState, connectorStateSchema, reportSchema } from '@vrsky/contracts/node-status';
import type { TenantTx } from '@vrsky/db/client';
import { z } from 'zod';
import type { NodeSeen } from './judge-rollout.ts';
import { liveness } from './liveness.ts';

export interface NodeRow extends NodeSeen {
  pool: string;
  version: string;
  enrolledAt: Date;
  startedAt: Date | null;
  leaseAt: Date | null;
  connectors: ConnectorState[];
}

/** A node that was not heard of for this long is no longer shown. */
const FORGET_MS = 86_400_000;

const reportFieldsSchema = reportSchema.pick({ received: true, applied: true, rejected: true, pipelines: true }).strip();

/** The nodes of the tenant's pool with what each last said about the tenant, by name. Row-level security knows the pool. */
export async function listSeenNodes(tx: TenantTx, tenantId: string, nowMs: number): Promise<NodeRow[]> {
  const rows = await tx.node.findMany({ where: { removedAt: null }, orderBy: [{ name: 'asc' }, { id: 'asc' }], include: { reports: { where: { tenantId } } } });
  return rows
    .filter((row) => nowMs - (row.leaseAt ?? row.enrolledAt).getTime() < FORGET_MS)
    .map((row) => {
      const [report] = row.reports;
      return {
        id: row.id,
        name: row.name,
        pool: row.pool,
        version: row.version,
        enrolledAt: row.enrolledAt,
        startedAt: row.startedAt,
        leaseAt: row.leaseAt,
        connectors: z.array(connectorStateSchema).parse(row.connectors),
        liveness: liveness(row, nowMs),
        report: report ? { at: report.at.toISOString(), ...reportFieldsSchema.parse(report) } : null,
      };
    });
}
