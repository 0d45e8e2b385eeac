import { event, eventSize, type FlowGraph, type FunctionBody } from './function-body.ts';
import { IntList } from './int-list.ts';
import { externalKind, type ModuleInfo } from './module.ts';

/** Who calls whom. A call through a table may reach every function of its type that a table can hold. */
export interface CallGraph {
  /** Functions, then types: a type stands for the functions that can be called by it. */
  nodes: number;
  /** The node that a call by a type goes to. */
  nodeOfType(type: number): number;
  callees(node: number): Int32Array;
  /** All nodes, a callee before its callers unless they call each other. */
  order: Int32Array;
  /** Whether a node can be reached from itself. */
  recursive: Uint8Array;
  /** Functions that a table or a reference can hold. */
  referred: Set<number>;
  /** Every endless chain of direct calls passes one of these. */
  breaksCycle: Uint8Array;
  /** Functions, those it calls directly before each, but for the ones that break a cycle. */
  directOrder: Int32Array;
}

export function createCallGraph(info: ModuleInfo, graph: FlowGraph, bodies: FunctionBody[], sharesTables: boolean): CallGraph {
  const { events } = graph;
  const referred = new Set(info.referredFunctions);
  if (sharesTables) for (const item of info.exports) if (item.kind === externalKind.function) referred.add(item.index);

  // Types that are equal are one type.
  const firstOfType = new Map<string, number>();
  const typeNodes = info.types.map((type) => {
    const key = `${type.params.join()}>${type.results.join()}`;
    const known = firstOfType.get(key);
    if (known !== undefined) return known;
    const node = info.functions + firstOfType.size;
    firstOfType.set(key, node);
    return node;
  });
  const nodeOfType = (type: number): number => typeNodes[type] as number;
  const nodes = info.functions + firstOfType.size;

  const callees = new IntList(16_384);
  const starts = new Int32Array(nodes + 1);
  for (let f = 0; f < info.functions; f++) {
    starts[f] = callees.length;
    const body = bodies[f - info.importedFunctions];
    if (!body) continue;
    for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
      const kind = events.get(e + 1);
      const a = events.get(e + 3);
      if (kind === event.call || kind === event.tailCall) callees.push(a);
      else if (kind === event.callIndirect || kind === event.tailCallIndirect) callees.push(nodeOfType(a));
      else if (kind === event.functionReference) referred.add(a);
    }
  }
  const byType: number[][] = Array.from({ length: firstOfType.size }, () => []);
  for (const f of [...referred].sort((a, b) => a - b)) byType[nodeOfType(info.functionTypeIndex(f)) - info.functions]?.push(f);
  for (const [i, functions] of byType.entries()) {
    starts[info.functions + i] = callees.length;
    for (const f of functions) callees.push(f);
  }
  starts[nodes] = callees.length;

  return {
    nodes,
    nodeOfType,
    callees: (node) => callees.data.subarray(starts[node], starts[node + 1]),
    ...findCycles(nodes, starts, callees.data),
    ...breakCycles(info.functions, starts, callees.data),
    referred,
  };
}

/** Tarjan's strongly connected components, without recursion of our own. */
function findCycles(nodes: number, starts: Int32Array, callees: Int32Array): { order: Int32Array; recursive: Uint8Array } {
  const order = new Int32Array(nodes);
  const recursive = new Uint8Array(nodes);
  const number = new Int32Array(nodes).fill(-1);
  const low = new Int32Array(nodes);
  const onStack = new Uint8Array(nodes);
  const next = starts.slice(0, nodes);
  const stack = new Int32Array(nodes);
  const path = new Int32Array(nodes);
  let stacked = 0;
  let ordered = 0;
  let numbered = 0;
  for (let root = 0; root < nodes; root++) {
    if ((number[root] as number) >= 0) continue;
    let depth = 0;
    path[0] = root;
    number[root] = low[root] = numbered++;
    stack[stacked++] = root;
    onStack[root] = 1;
    while (depth >= 0) {
      const node = path[depth] as number;
      const at = next[node] as number;
      if (at < (starts[node + 1] as number)) {
        next[node] = at + 1;
        const callee = callees[at] as number;
        if (callee === node) recursive[node] = 1;
        if ((number[callee] as number) < 0) {
          number[callee] = low[callee] = numbered++;
          stack[stacked++] = callee;
          onStack[callee] = 1;
          path[++depth] = callee;
        } else if (onStack[callee] === 1) low[node] = Math.min(low[node] as number, number[callee] as number);
        continue;
      }
      depth--;
      if (depth >= 0) {
        const caller = path[depth] as number;
        low[caller] = Math.min(low[caller] as number, low[node] as number);
      }
      if (low[node] !== number[node]) continue;
      const first = ordered;
      for (let member = -1; member !== node; ) {
        member = stack[--stacked] as number;
        onStack[member] = 0;
        order[ordered++] = member;
      }
      if (ordered - first > 1) for (let i = first; i < ordered; i++) recursive[order[i] as number] = 1;
    }
  }
  return { order, recursive };
}

/**
 * A walk in depth over direct calls: a call of a function that the walk is inside of closes a cycle. Functions with most calls from and to
 * come first, so that a few of these break most cycles (an interpreter's loop, say).
 */
function breakCycles(functions: number, starts: Int32Array, callees: Int32Array): { breaksCycle: Uint8Array; directOrder: Int32Array } {
  const degree = new Int32Array(functions);
  for (let f = 0; f < functions; f++) {
    for (let i = starts[f] as number; i < (starts[f + 1] as number); i++) {
      const callee = callees[i] as number;
      if (callee >= functions) continue;
      degree[callee] = (degree[callee] as number) + 1;
      degree[f] = (degree[f] as number) + 1;
    }
  }
  const roots = Int32Array.from({ length: functions }, (_, i) => i).sort((a, b) => (degree[b] as number) - (degree[a] as number) || a - b);
  const breaksCycle = new Uint8Array(functions);
  const directOrder = new Int32Array(functions);
  const state = new Uint8Array(functions); // 1 on the way, 2 done
  const next = starts.slice(0, functions);
  const path = new Int32Array(functions);
  let ordered = 0;
  for (const root of roots) {
    if (state[root] !== 0) continue;
    let depth = 0;
    path[0] = root;
    state[root] = 1;
    while (depth >= 0) {
      const node = path[depth] as number;
      const at = next[node] as number;
      if (at === starts[node + 1]) {
        state[node] = 2;
        directOrder[ordered++] = node;
        depth--;
        continue;
      }
      next[node] = at + 1;
      const callee = callees[at] as number;
      if (callee >= functions) continue;
      if (state[callee] === 1) breaksCycle[callee] = 1;
      else if (state[callee] === 0) {
        state[callee] = 1;
        path[++depth] = callee;
      }
    }
  }
  return { breaksCycle, directOrder };
}
