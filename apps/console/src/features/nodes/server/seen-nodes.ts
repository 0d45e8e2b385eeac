import { type ConnectorState, connectorStateSchema, reportSchema, type SandboxReport, sandboxReportSchema } from '@vrsky/contracts/node-status';
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
  /** Processes that tenants share, then the tenant's own. */
  connectors: ConnectorState[];
  sandbox: SandboxReport;
}

/** A node that was not heard of for this long is no longer shown. */
const FORGET_MS = 86_400_000;

const statesSchema = z.array(connectorStateSchema);
const reportFieldsSchema = reportSchema.pick({ received: true, applied: true, rejected: true, pipelines: true }).strip();

/** The nodes of the tenant's pool with what each last said about the tenant, by name. Row-level security knows the pool. */
export async function listSeenNodes(tx: TenantTx, tenantId: string, nowMs: number): Promise<NodeRow[]> {
  const rows = await tx.node.findMany({
    where: { removedAt: null },
    orderBy: [{ name: 'asc' }, { id: 'asc' }],
    include: { reports: { where: { tenantId } }, processes: { where: { tenantId } } },
  });
  return rows
    .filter((row) => !isForgotten(row, nowMs))
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
        connectors: [row.connectors, ...row.processes.map((item) => item.connectors)].flatMap((item) => statesSchema.parse(item)),
        sandbox: sandboxOf(row.sandbox),
        liveness: liveness(row, nowMs),
        report: report ? { at: report.at.toISOString(), ...reportFieldsSchema.parse(report) } : null,
      };
    });
}

export function isForgotten({ leaseAt, enrolledAt }: { leaseAt: Date | null; enrolledAt: Date }, nowMs: number): boolean {
  return nowMs - (leaseAt ?? enrolledAt).getTime() >= FORGET_MS;
}

/** A node that has not said yet what it can hold connectors with has an empty object there. */
function sandboxOf(value: unknown): SandboxReport {
  return sandboxReportSchema.parse({ layers: {}, ...(value as object) });
}
