import { isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import { type ConnectionPlan, listDestinations, type PipelinePlan } from '../core/pipeline-plan.ts';
import type { Confine } from '../plugins/confinement.ts';

interface Refusal {
  connectionId: string;
  errors: { path: string; message: string }[];
}

/** The connector that is told about connections. */
export interface ConnectionHost {
  /** Replaces the whole set; answers a row for each connection that could not be applied. */
  configure(generation: number, connections: ConnectionPlan[]): Promise<Refusal[]>;
}

/** One process for each role. */
export type ConnectionHosts = Record<ConnectionPlan['role'], ConnectionHost>;

/** All tenants' connections as one set, since a connector's `Configure` replaces them all. */
export interface ConnectionSet {
  /** Replaces one tenant's connections; answers why a pipeline's could not be applied, by its id. */
  set(tenantId: string, plans: readonly PipelinePlan[]): Promise<Map<string, string>>;
}

/** Processes that serve one tenant each. */
export interface TenantHosts {
  configureTenant(tenantId: string, connections: readonly ConnectionPlan[]): Promise<Refusal[]>;
}

export interface TenantConnectionsOptions {
  isShared(connector: string): boolean;
  shared: ConnectionSet;
  own: TenantHosts;
  confine: Confine;
}

/**
 * Connections by whose process serves them: those of the connectors that all tenants share go together with every other tenant's, the
 * others to processes of the tenant's own, where nobody else waits for them. The shared ones first: what comes in finds its way out.
 */
export function createTenantConnections(options: TenantConnectionsOptions): ConnectionSet {
  const { isShared, shared, own, confine } = options;
  const only = (plans: readonly PipelinePlan[], wanted: boolean): PipelinePlan[] =>
    plans.map((plan) => ({ ...plan, connections: plan.connections.filter(({ connector }) => isShared(connector) === wanted) }));
  return {
    async set(tenantId, plans) {
      const unprotected = new Map(plans.flatMap((plan) => tooLittle(plan, confine)));
      const allowed = plans.filter(({ pipelineId }) => !unprotected.has(pipelineId));
      const problems = await shared.set(tenantId, only(allowed, true));
      const refusals = await own.configureTenant(
        tenantId,
        only(allowed, false).flatMap(({ connections }) => connections),
      );
      return new Map([...problemsOf(plans, refusals), ...problems, ...unprotected]);
    },
  };
}

interface Change {
  readonly tenantId: string;
  readonly plans: readonly PipelinePlan[];
  readonly done: PromiseWithResolvers<Map<string, string>>;
}

export function createConnectionSet(hosts: ConnectionHosts): ConnectionSet {
  const byTenant = new Map<string, readonly PipelinePlan[]>();
  const waiting: Change[] = [];
  let generation = 0;
  let isWorking = false;

  const replace = (tenantId: string, plans: readonly PipelinePlan[]): void => {
    if (plans.length === 0) byTenant.delete(tenantId);
    else byTenant.set(tenantId, plans);
  };

  const configure = async (): Promise<Refusal[]> => {
    const connections = [...byTenant.values()].flatMap((plans) => plans.flatMap((plan) => plan.connections));
    generation++;
    const tell = async (role: ConnectionPlan['role']): Promise<Refusal[]> => {
      try {
        return await hosts[role].configure(
          generation,
          connections.filter((connection) => connection.role === role),
        );
      } catch (error) {
        // A connector that is away takes the set when it is back; its own state says so, the tenant's configuration is not at fault.
        if (isAppError(error) && error.code === 'PLUGIN.UNAVAILABLE') return [];
        throw error;
      }
    };
    // Destinations first: what comes in finds its way out.
    return [...(await tell('destination')), ...(await tell('source'))];
  };

  const apply = async (changes: Change[]): Promise<void> => {
    const before = changes.map(({ tenantId }) => [tenantId, byTenant.get(tenantId) ?? []] as const);
    for (const { tenantId, plans } of changes) replace(tenantId, plans);
    try {
      const refusals = await configure();
      for (const { plans, done } of changes) done.resolve(problemsOf(plans, refusals));
    } catch (error) {
      // Or one tenant's change would spoil the set of every other.
      for (const [tenantId, plans] of before.toReversed()) replace(tenantId, plans);
      if (changes.length === 1) changes[0]?.done.reject(error);
      else for (const change of changes) await apply([change]);
    }
  };

  /** One Configure at a time; what arrives meanwhile goes together into the next, so that a thousand tenants at start are a few. */
  const work = async (): Promise<void> => {
    if (isWorking) return;
    isWorking = true;
    while (waiting.length > 0) await apply(waiting.splice(0));
    isWorking = false;
  };

  return {
    set(tenantId, plans) {
      const done = Promise.withResolvers<Map<string, string>>();
      waiting.push({ tenantId, plans, done });
      void work();
      return done.promise;
    },
  };
}

/** A pipeline whose tenant asks for more protection than this node gives any connector. */
function tooLittle({ pipelineId, connections }: PipelinePlan, confine: Confine): [pipelineId: string, why: string][] {
  try {
    for (const { sandboxMinimum } of connections) confine({ manifest: { network: 'direct' }, minimum: sandboxMinimum });
    return [];
  } catch (error) {
    if (!isAppError(error) || error.code !== 'PLUGIN.SANDBOX') throw error;
    return [[pipelineId, publicMessageOf(error)]];
  }
}

function problemsOf(plans: readonly PipelinePlan[], refusals: Refusal[]): Map<string, string> {
  const problems = new Map<string, string>();
  for (const plan of plans) {
    const refusal = refusals.find(({ connectionId }) => plan.connections.some((connection) => connection.connectionId === connectionId));
    if (refusal) problems.set(plan.pipelineId, sentence(plan, refusal));
  }
  return problems;
}

/** In the words of the person who set it up: which part, which field, what. */
function sentence(plan: PipelinePlan, { connectionId, errors: [first] }: Refusal): string {
  const destination = listDestinations(plan).find((one) => one.connectionId === connectionId);
  const part = destination ? `Destination "${destination.name}"` : 'The source';
  if (first === undefined) return `${part}: the connector refused it and gave no reason.`;
  return `${part}: ${first.message}${first.path === '' ? '' : ` (${first.path})`}`;
}
