import type { CallGraph } from './call-graph.ts';
import { event, eventSize, exitNode, type FlowGraph, type FunctionBody } from './function-body.ts';
import type { ModuleInfo } from './module.ts';

/** Stack that a call takes is counted in units of so many bytes. */
export const depthUnitBytes = 128;
/** What a module may execute between two checks of the budget, in one function and those it calls. */
const uncheckedMax = 16_384;
/** Stack that may be taken without being counted, by functions that do not call themselves. */
const uncountedBytes = 64 * 1024;

/** What is known of a function before any counting is put in. */
export interface FunctionPlan {
  /** What every call of it costs: its callers pay for it. -1 when it pays for itself. */
  leafCost: number;
  /** It compares the budget with zero on entry. */
  checksEntry: boolean;
  /** Units of stack that a call of it takes; 0 when its calls are not counted. */
  depthUnits: number;
}

/**
 * Decides which functions check and which are paid for by their callers. Endless work passes a loop or a recursive function; work
 * that has an end, however far it is (forty functions that call the next one twice), passes a check every `uncheckedMax` instructions.
 */
export function planFunctions(info: ModuleInfo, graph: FlowGraph, bodies: FunctionBody[], calls: CallGraph): FunctionPlan[] {
  const plans: FunctionPlan[] = bodies.map(() => ({ leafCost: -1, checksEntry: false, depthUnits: 0 }));
  const imported = info.importedFunctions;
  /** Of what a node executes, what is not behind a check; and the uncounted stack below it. */
  const unchecked = new Float64Array(calls.nodes);
  const uncounted = new Float64Array(calls.nodes);
  const paths = createPathCosts(graph);
  for (const node of calls.order) {
    const body = bodies[node - imported];
    const isOwn = node >= imported && body !== undefined;
    let work = 0;
    let stack = 0;
    for (const callee of calls.callees(node)) {
      work = isOwn ? work + (unchecked[callee] as number) : Math.max(work, unchecked[callee] as number);
      stack = Math.max(stack, uncounted[callee] as number);
    }
    if (!isOwn) {
      unchecked[node] = work;
      uncounted[node] = stack;
      continue;
    }
    const plan = plans[node - imported] as FunctionPlan;
    for (let block = body.firstBlock; block < body.endBlock; block++) work += graph.cost.get(block);
    const recursive = calls.recursive[node] === 1;
    plan.checksEntry = recursive || work > uncheckedMax;
    unchecked[node] = plan.checksEntry ? 0 : work;
    if (recursive || stack + body.frameBytes > uncountedBytes) plan.depthUnits = Math.ceil(body.frameBytes / depthUnitBytes);
    else stack += body.frameBytes;
    uncounted[node] = stack;
    if (!plan.checksEntry && plan.depthUnits === 0 && !calls.referred.has(node)) plan.leafCost = paths.constantCost(body, plans, imported);
  }
  return plans;
}

function createPathCosts(graph: FlowGraph): { constantCost(body: FunctionBody, plans: FunctionPlan[], imported: number): number } {
  const { events } = graph;
  return {
    /** The cost of every way through a function, when it is the same for all; else -1. */
    constantCost(body, plans, imported) {
      if (body.hasLoops || body.stops || body.hasDynamicPrices || body.hasIndirectCalls) return -1;
      const blocks = body.endBlock - body.firstBlock;
      const cost = new Float64Array(blocks);
      const leaves = new Uint8Array(blocks);
      for (let block = 0; block < blocks; block++) cost[block] = graph.cost.get(body.firstBlock + block);
      for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
        const kind = events.get(e + 1);
        const block = events.get(e + 2) - body.firstBlock;
        if (kind === event.call) {
          const callee = plans[events.get(e + 3) - imported];
          if (callee === undefined || callee.leafCost < 0) return -1;
          cost[block] = (cost[block] as number) + callee.leafCost;
        } else if (kind === event.return || kind === event.branchOut || kind === event.end) leaves[block] = 1;
        else if (kind === event.catch) return -1;
      }
      const least = new Float64Array(blocks).fill(Number.POSITIVE_INFINITY);
      const most = new Float64Array(blocks).fill(Number.NEGATIVE_INFINITY);
      let leastOut = Number.POSITIVE_INFINITY;
      let mostOut = Number.NEGATIVE_INFINITY;
      least[0] = most[0] = 0;
      for (let block = 0; block < blocks; block++) {
        const low = (least[block] as number) + (cost[block] as number);
        const high = (most[block] as number) + (cost[block] as number);
        if (leaves[block] === 1) {
          leastOut = Math.min(leastOut, low);
          mostOut = Math.max(mostOut, high);
        }
        for (let edge = graph.firstOut(body.firstBlock + block); edge >= 0; edge = graph.nextOut(edge)) {
          const to = graph.to.get(edge);
          if (to === exitNode) {
            leastOut = Math.min(leastOut, low);
            mostOut = Math.max(mostOut, high);
          } else {
            least[to - body.firstBlock] = Math.min(least[to - body.firstBlock] as number, low);
            most[to - body.firstBlock] = Math.max(most[to - body.firstBlock] as number, high);
          }
        }
      }
      return leastOut === mostOut ? leastOut : -1;
    },
  };
}
