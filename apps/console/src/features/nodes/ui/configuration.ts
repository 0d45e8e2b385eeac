import type { Fence } from '@vrsky/contracts/bundle';
import type { NodeView } from '../types.ts';

/** Whether a node runs what is wanted: the generation it applied beside the one that was published last. */
export function configurationOf(node: Pick<NodeView, 'desired' | 'received' | 'applied' | 'rejected'>): {
  state: 'applied' | 'received' | 'sent' | 'rejected' | null;
  words: string;
} {
  const { desired, received, applied } = node;
  if (!desired) return { state: null, words: 'nothing published' };
  const wanted = `generation ${desired.generation}`;
  if (applied && reaches(applied, desired)) return { state: 'applied', words: wanted };
  const runs = applied ? `, runs ${applied.generation}` : '';
  if (node.rejected) return { state: 'rejected', words: `${wanted}${runs}` };
  if (received && reaches(received, desired)) return { state: 'received', words: `${wanted}${runs}` };
  return { state: 'sent', words: `${wanted}${runs}` };
}

/** As `compareFences` of the contract, without the schemas that come with it: this is for the browser. */
function reaches(fence: Fence, wanted: Fence): boolean {
  return fence.epoch > wanted.epoch || (fence.epoch === wanted.epoch && fence.generation >= wanted.generation);
}
