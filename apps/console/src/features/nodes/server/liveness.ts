import { limits } from '@vrsky/contracts/limits';
import type { NodeLiveness } from '@vrsky/contracts/node-status';

/** By the age of a node's lease. One that said goodbye is gone at once. */
export function liveness(node: { leaseAt: Date | null; stopping: boolean }, nowMs: number): NodeLiveness {
  if (node.leaseAt === null || node.stopping) return 'gone';
  const ageMs = nowMs - node.leaseAt.getTime();
  if (ageMs <= limits.leaseSilentMs) return 'live';
  return ageMs <= limits.leaseGoneMs ? 'silent' : 'gone';
}
