import { limits } from '@vrsky/contracts/limits';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import type { PipelinePlan } from '../core/pipeline-plan.ts';
import type { NodeMetrics } from '../metrics.ts';
import type { Tenant } from '../tenant.ts';
import type { Tracing } from '../tracing.ts';
import { type PipelineRunner, startPipelineRunner } from './pipeline-runner.ts';
import type { ReplyLine, Sender, StepRunner } from './ports.ts';

/** From the tenants' queues through the steps to the destinations. */
export interface Delivery extends Part {
  /** Replaces what runs for this tenant; resolves when pipelines that are no longer part of it have ended. */
  set(tenant: Tenant, plans: readonly PipelinePlan[]): Promise<void>;
  remove(tenantId: string): Promise<void>;
  queues(): QueueState[];
}

export interface QueueState {
  tenant: Tenant;
  pipelineId: string;
  packsInHand: number;
  messagesInHand: number;
  oldestStoredAtMs: number | null;
  isOrdered: boolean;
  blockedStoredAtMs: number | null;
}

export interface DeliveryOptions {
  nodeId: string;
  steps: StepRunner;
  sender: Sender;
  replies: ReplyLine;
  metrics: NodeMetrics;
  tracing: Tracing;
  log: Log;
}

/** A pipeline that was removed may finish what it has in hand for this long. */
const removeWithinMs = 10_000;

export function createDelivery(options: DeliveryOptions): Delivery {
  const running = new Map<string, { tenant: Tenant; pipelineId: string; runner: PipelineRunner }>();
  let isStopping = false;
  // One timer for all packs of the node, not one for each.
  const toucher = setInterval(() => {
    const nowMs = Date.now();
    for (const { runner } of running.values()) runner.touch(nowMs);
  }, limits.ackWaitMs / 6);

  const end = async (key: string, deadline: AbortSignal): Promise<void> => {
    const found = running.get(key);
    await found?.runner.stop(deadline);
    if (running.get(key) === found) running.delete(key);
  };

  const set = async (tenant: Tenant, plans: readonly PipelinePlan[]): Promise<void> => {
    if (isStopping) return;
    const wanted = new Set(plans.map(({ pipelineId }) => keyOf(tenant.tenantId, pipelineId)));
    const gone = [...running]
      .filter(([key, entry]) => entry.tenant.tenantId === tenant.tenantId && (!wanted.has(key) || entry.tenant !== tenant))
      .map(([key]) => key);
    await Promise.all(gone.map((key) => end(key, AbortSignal.timeout(removeWithinMs))));
    for (const plan of plans) {
      const key = keyOf(tenant.tenantId, plan.pipelineId);
      const found = running.get(key);
      if (found) found.runner.update(plan);
      else running.set(key, { tenant, pipelineId: plan.pipelineId, runner: startPipelineRunner({ ...options, tenant, plan }) });
    }
  };

  return {
    name: 'delivery',
    set,
    async remove(tenantId) {
      const gone = [...running].filter(([, entry]) => entry.tenant.tenantId === tenantId).map(([key]) => key);
      await Promise.all(gone.map((key) => end(key, AbortSignal.timeout(removeWithinMs))));
    },
    queues: () =>
      [...running.values()].map(({ tenant, pipelineId, runner }) => ({
        tenant,
        pipelineId,
        packsInHand: runner.packsInHand,
        messagesInHand: runner.messagesInHand,
        oldestStoredAtMs: runner.oldestStoredAtMs(),
        isOrdered: runner.isOrdered,
        blockedStoredAtMs: runner.blockedStoredAtMs(),
      })),
    async drain(deadline) {
      isStopping = true;
      await Promise.all([...running.keys()].map((key) => end(key, deadline)));
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      const now = AbortSignal.abort();
      await Promise.all([...running.keys()].map((key) => end(key, now)));
      clearInterval(toucher);
    },
  };
}

const keyOf = (tenantId: string, pipelineId: string): string => `${tenantId} ${pipelineId}`;
