import { isAppError } from '@vrsky/kernel/errors';
import type { ConnectionPlan, PipelinePlan } from '../core/pipeline-plan.ts';

/** The connector that is told about connections. */
export interface ConnectionHost {
  /** Replaces the whole set; answers a row for each connection that could not be applied. */
  configure(generation: number, connections: ConnectionPlan[]): Promise<{ connectionId: string; errors: { path: string; message: string }[] }[]>;
}

/** All tenants' connections as one set, since a connector's `Configure` replaces them all. */
export interface ConnectionSet {
  /** Replaces one tenant's connections; answers why a pipeline's could not be applied, by its id. */
  set(tenantId: string, plans: readonly PipelinePlan[]): Promise<Map<string, string>>;
}

export function createConnectionSet(host: ConnectionHost): ConnectionSet {
  const byTenant = new Map<string, readonly PipelinePlan[]>();
  let generation = 0;
  let queue: Promise<unknown> = Promise.resolve();

  const configure = async (tenantId: string): Promise<Map<string, string>> => {
    const connections = [...byTenant.values()].flatMap((plans) => plans.flatMap((plan) => plan.connections));
    const rows = await host.configure(++generation, connections).catch((error: unknown) => {
      // A connector that is away takes the set when it is back; its own state says so, the tenant's configuration is not at fault.
      if (isAppError(error) && error.code === 'PLUGIN.UNAVAILABLE') return [];
      throw error;
    });
    const problems = new Map<string, string>();
    for (const plan of byTenant.get(tenantId) ?? []) {
      const row = rows.find(({ connectionId }) => plan.connections.some((connection) => connection.connectionId === connectionId));
      if (row) problems.set(plan.pipelineId, sentence(plan, row));
    }
    return problems;
  };

  const replace = (tenantId: string, plans: readonly PipelinePlan[]): void => {
    if (plans.length === 0) byTenant.delete(tenantId);
    else byTenant.set(tenantId, plans);
  };

  return {
    set(tenantId, plans) {
      // One Configure at a time: a later generation must not overtake an earlier one.
      const turn = queue.then(async () => {
        const before = byTenant.get(tenantId) ?? [];
        replace(tenantId, plans);
        try {
          return await configure(tenantId);
        } catch (error) {
          replace(tenantId, before); // or it would spoil the set of every other tenant
          throw error;
        }
      });
      queue = turn.catch(() => {}); // its caller hears of it; the next one has its own turn
      return turn;
    },
  };
}

/** In the words of the person who set it up: which part, which field, what. */
function sentence(plan: PipelinePlan, row: { connectionId: string; errors: { path: string; message: string }[] }): string {
  const destination = plan.destinations.find(({ connectionId }) => connectionId === row.connectionId);
  const part = destination ? `Destination "${destination.name}"` : 'The source';
  const [first] = row.errors;
  if (first === undefined) return `${part}: the connector refused it and gave no reason.`;
  return `${part}: ${first.message}${first.path === '' ? '' : ` (${first.path})`}`;
}
