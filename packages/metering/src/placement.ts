import type { FunctionPlan } from './bounds.ts';
import { edgeKind, event, eventSize, exitNode, type FlowGraph, type FunctionBody } from './function-body.ts';

/** Where a function pays, and how much there. */
export interface Placement {
  /** Per basic block of the module. */
  readonly blockCharge: Float64Array;
  /**
   * Per basic block: the event at which it pays, which is the first at which the count must be right; `onEntry` when that is the entry
   * of the function; -1 when nothing in the block looks at the count, so that it pays at its start.
   */
  readonly payAt: Int32Array;
  /** Per edge of the module. */
  readonly edgeCharge: Float64Array;
}

export const onEntry = -2;

/** How often a loop's head is passed each time the loop is entered, by a guess. */
const loopRounds = 8;
/** How a charge compares with one of its own, when it rides on something that is there anyway, or needs a branch of its own. */
const onEvent = 0.35;
const onBranchIf = 1.4;
const onNoElse = 1.1;
/** What the bytes of a charge weigh, fifty as much as executing it for each call of the function: it decides where code is executed rarely. */
const ownSize = 0.18;
const onEventSize = 0.1;
const branchIfSize = 0.28;
const noElseSize = 0.2;
const buckets = 256;
/** Blocks that are executed rarely: they end in a trap or a throw, or start where one is caught, when nothing is owed. */
const cold = 1;
const caught = 2;

/**
 * Places the charges of all functions: as few and as rarely executed as can be (Knuth 1973; Ball and Larus 1994). A block need not pay
 * when it starts; what counts is that at every point where somebody looks, exactly the blocks begun so far are paid for. The points
 * between which charges may move are the nodes of a graph whose edges are blocks and branches. Of it, a spanning tree of what is executed
 * most is free, and every other edge pays for the cycle that it closes.
 */
export function placeCharges(graph: FlowGraph, bodies: FunctionBody[], plans: FunctionPlan[], imported: number): Placement {
  const { events } = graph;
  const blocks = graph.cost.length;
  const blockCharge = new Float64Array(blocks);
  const edgeCharge = new Float64Array(graph.to.length);
  const payAt = new Int32Array(blocks).fill(-1);
  const cost = new Float64Array(blocks);
  const frequency = new Float64Array(blocks);
  const rare = new Uint8Array(blocks);

  const largest = bodies.reduce((most, body) => Math.max(most, body.endBlock - body.firstBlock), 0);
  // Union-find with potentials: what is executed but not paid for at a point, relative to its parent.
  const parent = new Int32Array(2 * largest + 1);
  const owed = new Float64Array(2 * largest + 1);
  const candidates = new Int32Array(graph.to.length + largest);
  const sorted = new Int32Array(candidates.length);
  const bucketOf = new Uint8Array(candidates.length);
  const bucketEnds = new Int32Array(buckets);

  function find(point: number): number {
    let root = point;
    let sum = 0;
    while (parent[root] !== root) {
      sum += owed[root] as number;
      root = parent[root] as number;
    }
    for (let at = point; at !== root; ) {
      const next = parent[at] as number;
      const own = owed[at] as number;
      parent[at] = root;
      owed[at] = sum;
      sum -= own;
      at = next;
    }
    return root;
  }
  /** Makes the way from one point to another free, so that `price` is owed at its end; false when they are connected already. */
  function connect(from: number, to: number, price: number): boolean {
    const fromRoot = find(from);
    const toRoot = find(to);
    if (fromRoot === toRoot) return false;
    const atFrom = from === fromRoot ? 0 : (owed[from] as number);
    const atTo = to === toRoot ? 0 : (owed[to] as number);
    parent[toRoot] = fromRoot;
    owed[toRoot] = atFrom + price - atTo;
    return true;
  }
  const owedAt = (point: number, root: number): number => {
    if (find(point) !== root) throw new Error('bug: a basic block leads nowhere');
    return point === root ? 0 : (owed[point] as number);
  };

  for (const [own, body] of bodies.entries()) {
    const plan = plans[own] as FunctionPlan;
    if (plan.leafCost >= 0) continue;
    const { firstBlock, endBlock } = body;
    findEvents(body, plan);
    guessFrequencies(body);

    const before = (block: number): number => 2 * (block - firstBlock);
    const after = (block: number): number => 2 * (block - firstBlock) + 1;
    const settled = 2 * (endBlock - firstBlock);
    for (let point = 0; point <= settled; point++) {
      parent[point] = point;
      owed[point] = 0;
    }
    connect(settled, before(firstBlock), 0);
    let count = 0;
    const consider = (candidate: number, weight: number): void => {
      candidates[count] = candidate;
      bucketOf[count++] = bucket(weight);
    };
    for (let block = firstBlock; block < endBlock; block++) {
      const looked = payAt[block] !== -1;
      if (looked) connect(settled, after(block), 0);
      if (((rare[block] as number) & caught) !== 0) connect(settled, before(block), 0);
      consider(block - firstBlock, looked ? (frequency[block] as number) * onEvent + onEventSize : (frequency[block] as number) + ownSize);
    }
    for (let edge = body.firstEdge; edge < body.endEdge; edge++) {
      const from = after(graph.from.get(edge));
      const target = graph.to.get(edge);
      const to = target === exitNode ? settled : before(target);
      const kind = graph.kind.get(edge);
      if (kind === edgeKind.plain) connect(from, to, 0);
      else consider(-1 - edge, kind === edgeKind.branchIf ? edgeFrequency(edge) * onBranchIf + branchIfSize : edgeFrequency(edge) * onNoElse + noElseSize);
    }
    sortByBucket(count);
    for (let i = 0; i < count; i++) {
      const candidate = sorted[i] as number;
      if (candidate >= 0) connect(2 * candidate, 2 * candidate + 1, cost[firstBlock + candidate] as number);
      else connect(after(graph.from.get(-1 - candidate)), edgeEnd(-1 - candidate), 0);
    }
    const root = find(settled);
    for (let i = 0; i < count; i++) {
      const candidate = candidates[i] as number;
      if (candidate >= 0) {
        const block = firstBlock + candidate;
        blockCharge[block] = owedAt(2 * candidate, root) + (cost[block] as number) - owedAt(2 * candidate + 1, root);
      } else edgeCharge[-1 - candidate] = owedAt(after(graph.from.get(-1 - candidate)), root) - owedAt(edgeEnd(-1 - candidate), root);
    }

    function edgeEnd(edge: number): number {
      const target = graph.to.get(edge);
      return target === exitNode ? settled : before(target);
    }
  }
  return { blockCharge, payAt, edgeCharge };

  /** Fills in what blocks cost with the leaves they call, and where their count is looked at. */
  function findEvents(body: FunctionBody, plan: FunctionPlan): void {
    for (let block = body.firstBlock; block < body.endBlock; block++) cost[block] = graph.cost.get(block);
    if (plan.checksEntry) payAt[body.firstBlock] = onEntry;
    for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
      const block = events.get(e + 2);
      switch (events.get(e + 1)) {
        case event.call: {
          const leafCost = plans[events.get(e + 3) - imported]?.leafCost ?? -1;
          if (leafCost >= 0) cost[block] = (cost[block] as number) + leafCost;
          else if (payAt[block] === -1) payAt[block] = e;
          break;
        }
        case event.loop:
          if (graph.repeated.get(block) === 1) payAt[block] = e;
          break;
        case event.catch:
          rare[block] = caught;
          break;
        case event.tailCall:
          cost[block] = (cost[block] as number) + Math.max(0, plans[events.get(e + 3) - imported]?.leafCost ?? 0);
          if (payAt[block] === -1) payAt[block] = e;
          break;
        case event.unreachable:
        case event.throw:
          rare[block] = (rare[block] as number) | cold;
          if (payAt[block] === -1) payAt[block] = e;
          break;
        case event.callIndirect:
        case event.tailCallIndirect:
        case event.return:
        case event.branchOut:
        case event.dynamic:
        case event.end:
          if (payAt[block] === -1) payAt[block] = e;
      }
    }
  }

  function guessFrequencies(body: FunctionBody): void {
    const { firstBlock, endBlock } = body;
    for (let block = endBlock - 1; block >= firstBlock; block--) {
      frequency[block] = ((rare[block] as number) & caught) !== 0 ? 0.01 : 0;
      if (rare[block] !== 0) continue;
      let edge = graph.firstOut(block);
      if (edge < 0) continue;
      let all = true;
      for (; edge >= 0; edge = graph.nextOut(edge)) {
        const to = graph.to.get(edge);
        if (to <= block || rare[to] === 0) all = false;
      }
      if (all) rare[block] = cold;
    }
    frequency[firstBlock] = 1;
    for (let block = firstBlock; block < endBlock; block++) {
      if (graph.repeated.get(block) === 1) frequency[block] = Math.min((frequency[block] as number) * loopRounds, 1e9);
      let sum = 0;
      for (let edge = graph.firstOut(block); edge >= 0; edge = graph.nextOut(edge)) sum += edgeWeight(edge);
      if (sum === 0) continue;
      for (let edge = graph.firstOut(block); edge >= 0; edge = graph.nextOut(edge)) {
        const to = graph.to.get(edge);
        if (to > block) frequency[to] = (frequency[to] as number) + ((frequency[block] as number) * edgeWeight(edge)) / sum;
      }
    }
  }

  function edgeWeight(edge: number): number {
    const to = graph.to.get(edge);
    return graph.weight.get(edge) * (to !== exitNode && rare[to] !== 0 ? 0.005 : 1);
  }

  function edgeFrequency(edge: number): number {
    const from = graph.from.get(edge);
    let sum = 0;
    for (let other = graph.firstOut(from); other >= 0; other = graph.nextOut(other)) sum += edgeWeight(other);
    return ((frequency[from] as number) * edgeWeight(edge)) / sum;
  }

  /** Most frequent first. A stable sort by counting: what comes of it depends on nothing but the module. */
  function sortByBucket(count: number): void {
    bucketEnds.fill(0);
    for (let i = 0; i < count; i++) bucketEnds[bucketOf[i] as number] = (bucketEnds[bucketOf[i] as number] as number) + 1;
    for (let bucket = buckets - 2; bucket >= 0; bucket--) bucketEnds[bucket] = (bucketEnds[bucket] as number) + (bucketEnds[bucket + 1] as number);
    for (let i = count - 1; i >= 0; i--) {
      const bucket = bucketOf[i] as number;
      bucketEnds[bucket] = (bucketEnds[bucket] as number) - 1;
      sorted[bucketEnds[bucket] as number] = candidates[i] as number;
    }
  }
}

const floatView = new DataView(new ArrayBuffer(4));

/** Eighths of powers of two, from about 2⁻¹⁶ up: the number's exponent and the first bits after it. */
function bucket(weight: number): number {
  floatView.setFloat32(0, weight);
  const bits = (floatView.getUint32(0) >>> 20) - ((127 - 16) << 3);
  return bits < 0 ? 0 : Math.min(bits, buckets - 1);
}
