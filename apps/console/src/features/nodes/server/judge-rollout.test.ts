import { describe, expect, it } from 'vitest';
import { type Desired, judgeRollout, type NodeSeen, runsOlder, toPipelineState } from './judge-rollout.ts';

const at = '2026-11-25T09:00:00.000Z';
const desired: Desired = { pipelineId: 'pip_1', revision: 3, fence: { epoch: 1, generation: 30 } };
const older = { received: { epoch: 1, generation: 20 }, applied: { epoch: 1, generation: 20 } };
const newer = { received: { epoch: 1, generation: 31 }, applied: { epoch: 1, generation: 31 } };

function node(report: Partial<NonNullable<NodeSeen['report']>> | null, liveness: NodeSeen['liveness'] = 'live'): NodeSeen {
  return { id: 'nod_1', name: 'one', liveness, report: report && { at, received: null, applied: null, rejected: null, pipelines: [], ...report } };
}

const running = (revision: number, state: 'running' | 'failed' = 'running', reason?: string) => [
  { pipelineId: 'pip_1', revision, state, ...(reason ? { reason } : {}) },
];
const tick = (seen: NodeSeen) => judgeRollout(desired, seen).state;

describe('the tick of a node', () => {
  it('is sent until the node says something about this or a later bundle', () => {
    expect(tick(node(null))).toBe('sent');
    expect(tick(node({ ...older, pipelines: running(2) }))).toBe('sent');
  });

  it('is received once the node has the bundle, applied once the revision runs', () => {
    expect(tick(node({ received: desired.fence, applied: older.applied, pipelines: running(2) }))).toBe('received');
    expect(tick(node({ ...newer, pipelines: running(3) }))).toBe('applied');
  });

  it('is rejected with the reason when the node refused this bundle or cannot start the pipeline', () => {
    const rejected = { epoch: 1, generation: 30, code: 'BUNDLE.X', reason: 'Signed by a stranger.', at };
    expect(judgeRollout(desired, node({ ...older, rejected, pipelines: running(2) }))).toMatchObject({
      state: 'rejected',
      reason: 'Signed by a stranger.',
      at,
    });
    expect(judgeRollout(desired, node({ ...newer, pipelines: running(3, 'failed', 'Port in use.') }))).toMatchObject({
      state: 'rejected',
      reason: 'Port in use.',
    });
  });

  it('does not stay rejected for an older bundle, nor for one after this was applied', () => {
    expect(tick(node({ ...older, rejected: { epoch: 1, generation: 25, code: 'x', reason: 'x', at } }))).toBe('sent');
    expect(tick(node({ ...newer, rejected: { epoch: 1, generation: 40, code: 'x', reason: 'x', at }, pipelines: running(3) }))).toBe('applied');
    expect(tick(node({ ...newer, rejected: { code: 'SIGNATURE.MALFORMED', reason: 'x', at }, pipelines: running(3) }))).toBe('applied');
  });

  it('is silent when the node is not heard of, whatever it said last', () => {
    expect(tick(node({ ...newer, pipelines: running(3) }, 'silent'))).toBe('silent');
    expect(tick(node(null, 'silent'))).toBe('silent');
  });
});

describe('the state of a pipeline', () => {
  const state = (...nodes: NodeSeen[]) =>
    toPipelineState(
      nodes.map((seen) => judgeRollout(desired, seen)),
      runsOlder(desired, nodes),
    );
  const applied = node({ ...newer, pipelines: running(3) });
  const refused = node({ ...older, rejected: { epoch: 1, generation: 30, code: 'x', reason: 'x', at } });

  it('is running when every node runs it, rolling out while one has not answered', () => {
    expect(state(applied, applied)).toBe('running');
    expect(state(applied, node(null))).toBe('rolling_out');
  });

  it('is degraded when some node does not run it, or all refused it and still run an older revision', () => {
    expect(state(applied, refused)).toBe('degraded');
    expect(state(applied, node(null, 'silent'))).toBe('degraded');
    expect(state({ ...refused, report: refused.report && { ...refused.report, pipelines: running(2) } })).toBe('degraded');
  });

  it('is failed when no node runs it', () => {
    expect(state(refused)).toBe('failed');
    expect(state()).toBe('failed');
  });
});
