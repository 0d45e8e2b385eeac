import type { CallGraph } from './call-graph.ts';
import { depthSign } from './fuel-word.ts';
import { event, eventSize, exitNode, type FlowGraph, type FunctionBody } from './function-body.ts';
import type { ModuleInfo } from './module.ts';

/** Stack that a call takes is counted in units of so many bytes. */
export const depthUnitBytes = 128;
/** What a module may execute between two checks of the budget, in one function and those it calls. */
const uncheckedMax = 16_384;
/** Stack that may be taken, though counted, between two checks: as far below zero as it may go. */
const uncheckedUnits = depthSign / 2;
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
 * Decides which functions check, and which are paid for by their callers. Endless work passes a loop, a call by reference or a function
 * that breaks a cycle of calls, which all check; work that has an end, however far it is (forty functions that call the next one twice),
 * passes a check every `uncheckedMax` instructions.
 */
export function planFunctions(info: ModuleInfo, graph: FlowGraph, bodies: FunctionBody[], calls: CallGraph): FunctionPlan[] {
  const plans: FunctionPlan[] = bodies.map(() => ({ leafCost: -1, checksEntry: false, depthUnits: 0 }));
  countStack(info, bodies, calls, plans);
  const imported = info.importedFunctions;
  const paths = createPathCosts(graph);
  /** Of what a function executes, and takes of the stack, what is not behind a check. */
  const work = new Float64Array(info.functions);
  const units = new Float64Array(info.functions);
  for (const index of calls.directOrder) {
    const body = bodies[index - imported];
    const plan = plans[index - imported];
    if (!body || !plan) continue;
    let ownWork = 0;
    let ownUnits = 0;
    for (let block = body.firstBlock; block < body.endBlock; block++) ownWork += graph.cost.get(block);
    for (const callee of calls.callees(index)) {
      if (callee >= info.functions) continue;
      ownWork += work[callee] as number;
      ownUnits = Math.max(ownUnits, units[callee] as number);
    }
    ownUnits += plan.depthUnits;
    plan.checksEntry = calls.breaksCycle[index] === 1 || ownWork > uncheckedMax || ownUnits > uncheckedUnits;
    work[index] = plan.checksEntry ? 0 : ownWork;
    units[index] = plan.checksEntry ? plan.depthUnits : ownUnits;
    if (!plan.checksEntry && plan.depthUnits === 0 && !calls.referred.has(index)) plan.leafCost = paths.constantCost(body, plans, imported);
  }
  return plans;
}

/** Calls are counted that can be endless, and those of functions on top of so many others that they need much stack without. */
function countStack(info: ModuleInfo, bodies: FunctionBody[], calls: CallGraph, plans: FunctionPlan[]): void {
  const uncounted = new Float64Array(calls.nodes);
  for (const node of calls.order) {
    let below = 0;
    for (const callee of calls.callees(node)) below = Math.max(below, uncounted[callee] as number);
    uncounted[node] = below;
    const body = bodies[node - info.importedFunctions];
    const plan = plans[node - info.importedFunctions];
    if (!body || !plan) continue;
    if (calls.recursive[node] === 1 || below + body.frameBytes > uncountedBytes) plan.depthUnits = Math.ceil(body.frameBytes / depthUnitBytes);
    else uncounted[node] = below + body.frameBytes;
  }
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
