import { compareFences, type Fence } from '@vrsky/contracts/bundle';
import type { NodeLiveness, Report } from '@vrsky/contracts/node-status';
import type { PipelineState } from '../../pipelines/types.ts';
import type { RolloutView } from '../types.ts';

/** A published pipeline: the revision that should run, and the fence of the bundle that first carried it. */
export interface Desired {
  pipelineId: string;
  revision: number;
  fence: Fence;
}

export interface NodeSeen {
  id: string;
  name: string;
  liveness: NodeLiveness;
  /** Null when it said nothing about this tenant yet. */
  report: Pick<Report, 'at' | 'received' | 'applied' | 'rejected' | 'pipelines'> | null;
}

/** The tick of one node on a published revision. */
export function judgeRollout(desired: Desired, node: NodeSeen): RolloutView {
  const view = (state: RolloutView['state'], reason: string | null = null, at: string | null = node.report?.at ?? null): RolloutView => ({
    nodeId: node.id,
    nodeName: node.name,
    state,
    reason,
    at,
  });
  const { report } = node;
  const running = report?.pipelines.find((item) => item.pipelineId === desired.pipelineId);
  const rejected = report?.rejected;
  // A refusal without a fence is of a document that could not be read at all: it counts until something newer is applied.
  if (rejected && !reached(report.applied, desired.fence) && (rejected.generation === undefined || reached(toFence(rejected), desired.fence)))
    return view('rejected', rejected.reason, rejected.at);
  if (running?.revision === desired.revision && running.state === 'failed') return view('rejected', running.reason ?? 'The node could not start it.');
  if (node.liveness !== 'live') return view('silent', 'The node has not been heard of for a while. It goes on running what it has.');
  if (running?.revision === desired.revision) return view('applied');
  if (report && reached(report.received, desired.fence)) return view('received');
  return view('sent');
}

/** What a pipeline's state is, from the ticks of the nodes that are not gone. `olderRuns`: some of them runs an earlier revision. */
export function toPipelineState(ticks: RolloutView[], olderRuns: boolean): PipelineState {
  const has = (...states: RolloutView['state'][]) => ticks.some((tick) => states.includes(tick.state));
  if (has('sent', 'received')) return 'rolling_out';
  if (!has('applied')) return has('rejected') && olderRuns ? 'degraded' : 'failed';
  return has('rejected', 'silent') ? 'degraded' : 'running';
}

export function runsOlder(desired: Desired, nodes: NodeSeen[]): boolean {
  return nodes.some((node) =>
    node.report?.pipelines.some((item) => item.pipelineId === desired.pipelineId && item.revision < desired.revision && item.state === 'running'),
  );
}

function reached(fence: Fence | null | undefined, least: Fence): boolean {
  return fence != null && compareFences(fence, least) >= 0;
}

function toFence(rejected: { epoch?: number | undefined; generation?: number | undefined }): Fence {
  return { epoch: rejected.epoch ?? 0, generation: rejected.generation ?? 0 };
}
