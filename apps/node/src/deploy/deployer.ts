import { createSecretKey } from 'node:crypto';
import type { Bundle } from '@vrsky/contracts/bundle';
import type { Report } from '@vrsky/contracts/node-status';
import { sleep } from '@vrsky/kernel/lifecycle';
import { type PipelinePlan, planPipelines, secretsFor } from '../core/pipeline-plan.ts';
import type { TenantSecrets } from '../core/sealed-secret.ts';
import type { Tenant } from '../tenant.ts';
import type { TenantBus } from '../tenant-bus.ts';
import type { ConnectionSet } from './connection-set.ts';

export interface DeployerPorts {
  openBus(tenantId: string, natsJwt: string): TenantBus;
  connections: ConnectionSet;
  intake: { set(tenant: Tenant, plans: readonly PipelinePlan[]): void; remove(tenantId: string): void };
  delivery: { set(tenant: Tenant, plans: readonly PipelinePlan[]): Promise<void>; remove(tenantId: string): Promise<void> };
  /** What listens in the tenant's account: for the control plane's requests, for other nodes' results. */
  listeners: readonly { set(tenant: Tenant): void; remove(tenantId: string): void }[];
}

export interface TenantDeployer {
  /** `earlier`: older bundles, the newest first, from which a pipeline goes on whose newer revision is refused. */
  deploy(deployment: {
    bundle: Bundle;
    grant: { tenantId: string; natsJwt: string };
    proofKey: Buffer;
    secrets: TenantSecrets;
    earlier: Bundle[];
    isRestore: boolean;
  }): Promise<Report['pipelines']>;
  remove(tenantId: string): Promise<void>;
  tenants(): Tenant[];
  [Symbol.asyncDispose](): Promise<void>;
}

const connectWithinMs = 3_000;

interface Deployed {
  tenant: Tenant;
  plans: PipelinePlan[];
}

/**
 * Makes a verified bundle the running one. The order keeps every message at home: a new URL leads somewhere before the connector
 * opens it, and a pipeline that goes finishes what it has in hand before its destinations go.
 */
export function createDeployer(ports: DeployerPorts): TenantDeployer {
  const deployed = new Map<string, Deployed>();

  return {
    async deploy({ bundle, grant, proofKey, secrets, earlier, isRestore }) {
      const { tenantId } = bundle;
      const existing = deployed.get(tenantId);
      const stamp = { customerId: tenantId, proofKey: createSecretKey(proofKey) };
      const tenant: Tenant = existing?.tenant ?? { tenantId, bus: ports.openBus(tenantId, grant.natsJwt), stamp };
      tenant.stamp = stamp;
      tenant.bus.renew(grant.natsJwt);
      const before = existing?.plans ?? [];
      deployed.set(tenantId, { tenant, plans: before });

      const wanted = planPipelines(bundle, secrets);
      const stays = before.filter((plan) => wanted.some(({ pipelineId }) => pipelineId === plan.pipelineId));
      for (const service of ports.listeners) service.set(tenant);
      ports.intake.set(tenant, [...before, ...wanted]);
      await ports.delivery.set(tenant, stays);

      const lastGood = [...stays, ...earlier.flatMap((older) => planPipelines(older, secrets))].map((plan) => heldAs(plan, bundle, secrets));
      const { running, failed } = await connect(ports.connections, tenantId, wanted, lastGood);
      deployed.set(tenantId, { tenant, plans: running });
      ports.intake.set(tenant, running);
      await ports.delivery.set(tenant, running);
      // Whoever reads "applied" sends a message next; it should not meet a connection that is just being made.
      if (!isRestore) await withTimeLimit(tenant.bus.connected, connectWithinMs);
      return [...failed, ...running.map((plan) => ({ pipelineId: plan.pipelineId, revision: plan.revision, state: 'running' as const }))];
    },
    async remove(tenantId) {
      const found = deployed.get(tenantId);
      if (!found) return;
      for (const service of ports.listeners) service.remove(tenantId);
      await ports.delivery.remove(tenantId);
      await ports.connections.set(tenantId, []);
      ports.intake.remove(tenantId);
      deployed.delete(tenantId);
      await found.tenant.bus.close();
    },
    tenants: () => [...deployed.values()].map(({ tenant }) => tenant),
    async [Symbol.asyncDispose]() {
      await Promise.all([...deployed.values()].map(({ tenant }) => tenant.bus.close()));
      deployed.clear();
    },
  };
}

/** Resolves when `work` has ended, however, or the time is over. */
async function withTimeLimit(work: Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([work.catch(() => {}), sleep(ms, over.signal)]);
  over.abort();
}

/**
 * An older revision runs with the protection that the tenant asks for now, not with what it asked for then, and with its secrets as they are
 * now. Those that only it refers to are as they were: the control plane sends what published revisions need.
 */
function heldAs(plan: PipelinePlan, { policy }: Bundle, secrets: TenantSecrets): PipelinePlan {
  const sandboxMinimum = policy?.sandboxMinimum ?? [];
  return {
    ...plan,
    connections: plan.connections.map((connection) => ({
      ...connection,
      sandboxMinimum,
      secrets: secretsFor(connection.settings, new Map([...connection.secrets.map((secret) => [secret.name, secret] as const), ...secrets])),
    })),
  };
}

/** A pipeline that its connector refuses harms no other: its last good revision goes on, and its author hears why. */
async function connect(
  connections: ConnectionSet,
  tenantId: string,
  wanted: PipelinePlan[],
  lastGood: PipelinePlan[],
): Promise<{ running: PipelinePlan[]; failed: Report['pipelines'] }> {
  const problems = await connections.set(tenantId, wanted);
  if (problems.size === 0) return { running: wanted, failed: [] };
  const next = wanted.flatMap((plan) => {
    if (!problems.has(plan.pipelineId)) return [plan];
    return lastGood.find(({ pipelineId }) => pipelineId === plan.pipelineId) ?? [];
  });
  const stillRefused = await connections.set(tenantId, next);
  const running = next.filter(({ pipelineId }) => !stillRefused.has(pipelineId));
  const failed = wanted
    .filter(({ pipelineId }) => problems.has(pipelineId))
    .map(({ pipelineId, revision }) => ({ pipelineId, revision, state: 'failed' as const, reason: problems.get(pipelineId) ?? '' }));
  return { running, failed };
}
