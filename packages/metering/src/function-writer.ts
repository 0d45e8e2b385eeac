import type { FunctionPlan } from './bounds.ts';
import type { Writer } from './bytes.ts';
import { depthBits, depthMask, instruction } from './fuel-word.ts';
import { dynamicPrice, edgeKind, event, eventSize, exitNode, type FlowGraph, type FunctionBody } from './function-body.ts';
import { type FunctionType, type ModuleInfo, valueTypes } from './module.ts';
import { op } from './opcodes.ts';
import { onEntry, type Placement } from './placement.ts';
import { priceTable } from './price-table.ts';

/** What the functions of a module have in common: their new indices, and how they are called. */
export interface Target {
  info: ModuleInfo;
  graph: FlowGraph;
  plans: FunctionPlan[];
  placement: Placement;
  /** Global with the fuel word: for the host, and for whatever is called without a parameter for fuel. */
  fuel: number;
  /** -1 without virtual memory; the next global is its maximum. */
  pages: number;
  growFunction: number;
  /** What a reference to a function has the host's type, so that calls by reference pass the fuel through the global. */
  sharesTables: boolean;
  /** The count is published at heads of loops. */
  publishesLoops: boolean;
  /** Index of a type with fuel as one more parameter and one more result. */
  typeWithFuel(type: number): number;
  typeIndex(type: FunctionType): number;
  /** What a reference to a function is a reference to now. */
  reference(index: number): number;
}

/**
 * Copies a body with counting put in. Fuel is one more parameter and one more result, so that it stays in a register, also across calls.
 * It is subtracted where the placement says. Wherever the count can be seen (calls out, heads of loops, ends) all blocks begun are paid
 * for, and it is published in the global where somebody could ask for it afterwards: before and after calls of the host and calls by
 * reference, at heads of loops, at aborts. It is compared with zero at heads of loops and on entry of functions that need it.
 */
export function writeFunction(out: Writer, target: Target, body: FunctionBody): void {
  const { info, graph, plans, placement } = target;
  const { bytes } = info;
  const { events, locals } = graph;
  const { blockCharge, payAt, edgeCharge } = placement;
  const { leafCost, checksEntry, depthUnits } = plans[body.index - info.importedFunctions] as FunctionPlan;
  const isLeaf = leafCost >= 0;
  const fuel = body.type.params.length;
  const savesIndex = body.hasIndirectCalls && !target.sharesTables;
  const operand = fuel + (isLeaf ? 0 : 1) + body.locals;
  const tableIndex = operand + (body.hasDynamicPrices ? 1 : 0);
  const temporaries: number[] = [];
  if (body.hasDynamicPrices) temporaries.push(valueTypes.i32);
  if (savesIndex) temporaries.push(valueTypes.i32);
  temporaries.push(...body.nanTypes);
  const numberOf = (type: number): number => operand + temporaries.indexOf(type);

  out.u32(body.localGroups + temporaries.length);
  out.raw(bytes, body.localsAt, body.codeAt);
  for (const type of temporaries) {
    out.u32(1);
    out.u8(type);
  }

  // Locals after the parameters move up by one. Most of their indices are one byte before and after, which is changed in the copy.
  const firstMoved = isLeaf ? Number.POSITIVE_INFINITY : fuel;
  let copied = body.codeAt;
  let nextLocal = body.firstLocal;
  const flush = (position: number, patchFrom: number): void => {
    const start = out.length;
    out.raw(bytes, copied, position);
    for (let i = patchFrom; i < nextLocal; i++) {
      const at = locals.get(i);
      const index = bytes[at] as number;
      if (index >= firstMoved) out.patch(start + at - copied, index + 1);
    }
    copied = position;
  };
  const copyTo = (position: number): void => {
    let patchFrom = nextLocal;
    for (; nextLocal < body.endLocal; nextLocal++) {
      const at = locals.get(nextLocal);
      if (at >= position) break;
      if ((bytes[at] as number) < 127) continue;
      flush(at, patchFrom);
      const { value, end } = readIndex(bytes, at);
      out.u32(value >= firstMoved ? value + 1 : value);
      copied = end;
      patchFrom = nextLocal + 1;
    }
    flush(position, patchFrom);
  };

  /** Where the code that set fuel last starts and ends: what follows at once need not get it. */
  let setFrom = -1;
  let setTo = -1;
  const getFuel = (): void => {
    if (out.length === setTo) {
      out.patch(setFrom, op.localTee);
      setTo = -1;
      return;
    }
    out.u8(op.localGet);
    out.u32(fuel);
  };
  /** The same where the local is set again before it is read, or not read any more. Handlers of exceptions read it at any time. */
  const takeFuel = (): void => {
    if (out.length !== setTo || body.catches) return getFuel();
    out.truncate(setFrom);
    setTo = -1;
  };
  const setFuel = (): void => {
    setFrom = out.length;
    out.u8(op.localSet);
    out.u32(fuel);
    setTo = out.length;
  };
  const teeFuel = (): void => {
    out.u8(op.localTee);
    out.u32(fuel);
  };
  const subtract = (amount: number): void => {
    if (amount === 0) return;
    out.u8(op.i64Const);
    out.s64(amount);
    out.u8(op.i64Sub);
  };
  const publish = (): void => {
    out.u8(op.globalSet);
    out.u32(target.fuel);
  };
  const takeBack = (): void => {
    out.u8(op.globalGet);
    out.u32(target.fuel);
  };
  const charge = (price: number): void => {
    if (price === 0) return;
    takeFuel();
    subtract(price * instruction);
    setFuel();
  };
  /** Traps when the word on top of the operands is negative. */
  const check = (published: boolean): void => {
    out.u8(op.i64Const);
    out.s64(0);
    out.u8(op.i64LtS);
    trapIf(published);
  };
  /** Traps when either part of the word is below zero: both signs are brought to the same place. */
  const checkBoth = (published: boolean): void => {
    getFuel();
    getFuel();
    out.u8(op.i64Const);
    out.s64(64 - depthBits);
    out.u8(op.i64Shl);
    out.u8(op.i64Or);
    check(published);
  };
  const trapIf = (published: boolean): void => {
    out.u8(op.if);
    out.u8(valueTypes.empty);
    if (!published) {
      getFuel();
      publish();
    }
    out.u8(op.unreachable);
    out.u8(op.end);
  };
  /** What a block pays at an event; 0 when it has paid before. */
  const due = (block: number, at: number): number => (payAt[block] === at ? (blockCharge[block] as number) * instruction : 0);
  const startBlock = (block: number): void => {
    if (payAt[block] === -1) charge(blockCharge[block] as number);
  };

  if (!isLeaf) {
    const price = due(body.firstBlock, onEntry);
    const starts = payAt[body.firstBlock] === -1 ? (blockCharge[body.firstBlock] as number) * instruction : price;
    const amount = starts + depthUnits;
    if (amount !== 0) {
      getFuel();
      subtract(amount);
      setFuel();
    }
    if (checksEntry) checkBoth(false);
    if (body.needsExitBlock) {
      out.u8(op.block);
      writeBlockType(body.type.results);
    }
  }

  for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
    const position = events.get(e);
    const kind = events.get(e + 1);
    const block = events.get(e + 2);
    const a = events.get(e + 3);
    const end = events.get(e + 4);
    switch (kind) {
      case event.dead:
        copyTo(position);
        if (a === 1) out.u8(op.unreachable);
        copied = end;
        continue;
      case event.functionReference: {
        const reference = target.reference(a);
        if (reference === a) continue;
        copyTo(position);
        out.u8(op.refFunc);
        out.u32(reference);
        copied = end;
        continue;
      }
      case event.showsNan:
        copyTo(position);
        writeCanonicalNumber(out, a, numberOf(a));
        continue;
      case event.makesNan:
        copyTo(end);
        writeCanonicalLanes(out, a, numberOf(valueTypes.v128));
        continue;
      case event.memorySize:
        if (target.pages < 0) continue;
        copyTo(position);
        out.u8(op.globalGet);
        out.u32(target.pages);
        copied = end;
        continue;
    }
    if (isLeaf) continue;
    switch (kind) {
      case event.block:
        if (payAt[block] !== -1 || blockCharge[block] === 0) break;
        copyTo(position);
        startBlock(block);
        break;
      case event.loop:
        copyTo(position);
        if (graph.repeated.get(block) === 0) startBlock(block);
        else {
          const price = due(block, e);
          getFuel();
          subtract(price);
          if (price !== 0) teeFuel();
          if (target.publishesLoops) {
            publish();
            getFuel();
          }
          check(target.publishesLoops);
        }
        break;
      case event.catch:
        // The count is the thrower's, the stack is our own.
        copyTo(position);
        takeBack();
        out.u8(op.i64Const);
        out.s64(-instruction);
        out.u8(op.i64And);
        getFuel();
        out.u8(op.i64Const);
        out.s64(depthMask);
        out.u8(op.i64And);
        out.u8(op.i64Or);
        setFuel();
        startBlock(block);
        break;
      case event.call:
        if (isPaidFor(a)) break;
        copyTo(position);
        takeFuel();
        subtract(due(block, e));
        if (a < info.importedFunctions) {
          publish();
          copyTo(end);
          takeBack();
        } else copyTo(end);
        setFuel();
        break;
      case event.callIndirect:
        copyTo(position);
        if (target.sharesTables) {
          getFuel();
          subtract(due(block, e));
          teeFuel();
          publish();
          checkBoth(true);
          copyTo(end);
          takeBack();
          setFuel();
        } else {
          callByIndex(op.callIndirect, a, position, due(block, e), 0);
          copied = end;
          teeFuel();
          publish();
        }
        break;
      case event.tailCall:
        copyTo(position);
        if (isPaidFor(a) || a < info.importedFunctions) {
          // It does not call back, so that a call of its own does not grow without end.
          getFuel();
          subtract(due(block, e));
          if (isPaidFor(a)) setFuel();
          else publish();
          out.u8(op.call);
          out.u32(a);
          if (isPaidFor(a)) getFuel();
          else takeBack();
          subtract(-depthUnits);
          out.u8(op.return);
        } else {
          getFuel();
          subtract(due(block, e) - depthUnits);
          out.u8(op.returnCall);
          out.u32(a);
        }
        copied = end;
        break;
      case event.tailCallIndirect:
        copyTo(position);
        if (target.sharesTables) {
          getFuel();
          subtract(due(block, e));
          teeFuel();
          publish();
          checkBoth(true);
          out.u8(op.callIndirect);
          copied = position + 1;
          copyTo(end);
          takeBack();
          subtract(-depthUnits);
          out.u8(op.return);
        } else {
          callByIndex(op.returnCallIndirect, a, position, due(block, e), depthUnits);
          copied = end;
        }
        break;
      case event.return:
      case event.branchOut:
        copyTo(position);
        takeFuel();
        subtract(due(block, e) - depthUnits);
        out.u8(op.return);
        copied = end;
        break;
      case event.end:
        copyTo(position);
        if (body.needsExitBlock) charge(due(block, e) / instruction);
        else {
          takeFuel();
          subtract(due(block, e) - depthUnits);
        }
        break;
      case event.unreachable:
      case event.throw:
        copyTo(position);
        takeFuel();
        subtract(due(block, e));
        publish();
        break;
      case event.dynamic:
        copyTo(position);
        writeDynamicPrice(a, due(block, e));
        if (a === dynamicPrice.pages && target.pages >= 0) {
          out.u8(op.call);
          out.u32(target.growFunction);
          copied = end;
        }
        break;
      case event.branchIf:
        writeBranchIf(a, position, end);
        break;
      case event.noElse:
        if (edgeCharge[a] === 0) break;
        copyTo(position);
        out.u8(op.else);
        charge(edgeCharge[a] as number);
        break;
      default:
        throw new Error('bug: unknown event');
    }
  }
  copyTo(body.end - 1);
  if (body.needsExitBlock && !isLeaf) {
    out.u8(op.end);
    getFuel();
    subtract(-depthUnits);
  }
  out.u8(op.end);

  function isPaidFor(callee: number): boolean {
    return (plans[callee - info.importedFunctions]?.leafCost ?? -1) >= 0;
  }

  /** A call through a table whose functions take fuel: it goes below the index that is on top of the operands. */
  function callByIndex(opcode: number, type: number, position: number, price: number, released: number): void {
    out.u8(op.localSet);
    out.u32(tableIndex);
    getFuel();
    subtract(price);
    if (price !== 0) teeFuel();
    publish();
    checkBoth(true);
    getFuel();
    subtract(-released);
    out.u8(op.localGet);
    out.u32(tableIndex);
    out.u8(opcode);
    out.u32(target.typeWithFuel(type));
    out.u32(readIndex(bytes, readIndex(bytes, position + 1).end).value);
  }

  function writeBranchIf(edge: number, position: number, end: number): void {
    if (graph.kind.get(edge) !== edgeKind.branchIf) return;
    const price = edgeCharge[edge] as number;
    const leaves = graph.to.get(edge) === exitNode && !body.needsExitBlock;
    if (price === 0 && !leaves) return;
    copyTo(position);
    out.u8(op.if);
    out.u8(valueTypes.empty);
    if (leaves) {
      getFuel();
      subtract(price * instruction - depthUnits);
      out.u8(op.return);
    } else {
      charge(price);
      out.u8(op.br);
      out.u32(readIndex(bytes, position + 1).value + 1);
    }
    out.u8(op.end);
    copied = end;
  }

  /** Pays by the operand on top of the stack, and leaves it there. */
  function writeDynamicPrice(kind: number, price: number): void {
    out.u8(op.localTee);
    out.u32(operand);
    getFuel();
    subtract(price);
    out.u8(op.localGet);
    out.u32(operand);
    out.u8(op.i64ExtendI32U);
    if (kind === dynamicPrice.eighthOfOperand) {
      out.u8(op.i64Const);
      out.s64(3);
      out.u8(op.i64ShrU);
    }
    out.u8(op.i64Const);
    out.s64(depthBits + (kind === dynamicPrice.pages ? Math.log2(priceTable.perPage) : 0));
    out.u8(op.i64Shl);
    out.u8(op.i64Sub);
    teeFuel();
    check(false);
  }

  function writeBlockType(results: number[]): void {
    if (results.length === 0) out.u8(valueTypes.empty);
    else if (results.length === 1) out.u8(results[0] as number);
    else out.s64(target.typeIndex({ params: [], results }));
  }
}

/** A NaN on top of the operands becomes the one with no sign and no payload: only a NaN differs from itself. */
function writeCanonicalNumber(out: Writer, type: number, local: number): void {
  const wide = type === valueTypes.f64;
  out.u8(op.localTee);
  out.u32(local);
  out.u8(wide ? op.f64Const : op.f32Const);
  out.raw(Uint8Array.from(wide ? [0, 0, 0, 0, 0, 0, 0xf8, 0x7f] : [0, 0, 0xc0, 0x7f]));
  for (let i = 0; i < 2; i++) {
    out.u8(op.localGet);
    out.u32(local);
  }
  out.u8(wide ? op.f64Eq : op.f32Eq);
  out.u8(op.select);
}

/** The same for every lane of a vector. */
function writeCanonicalLanes(out: Writer, lane: number, local: number): void {
  const nan = lane === 64 ? [0, 0, 0, 0, 0, 0, 0xf8, 0x7f] : [0, 0, 0xc0, 0x7f];
  out.u8(op.localTee);
  out.u32(local);
  out.u8(op.simd);
  out.u32(op.v128Const);
  out.raw(Uint8Array.from({ length: 16 }, (_, i) => nan[i % nan.length] as number));
  for (let i = 0; i < 2; i++) {
    out.u8(op.localGet);
    out.u32(local);
  }
  out.u8(op.simd);
  out.u32(lane === 64 ? op.f64x2Eq : op.f32x4Eq);
  out.u8(op.simd);
  out.u32(op.v128Bitselect);
}

function readIndex(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let i = at, shift = 0; ; i++, shift += 7) {
    const byte = bytes[i] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, end: i + 1 };
  }
}

/** (pages) → the size before, or -1 when that would be more than the host allows: memory.grow on the counter. */
export function writeGrow(out: Writer, pages: number): void {
  const maxPages = pages + 1;
  out.u32(0);
  out.u8(op.localGet);
  out.u32(0);
  out.u8(op.globalGet);
  out.u32(maxPages);
  out.u8(op.globalGet);
  out.u32(pages);
  out.u8(op.i32Sub);
  out.u8(op.i32GtU);
  out.u8(op.if);
  out.u8(valueTypes.empty);
  out.u8(op.i32Const);
  out.s64(-1);
  out.u8(op.return);
  out.u8(op.end);
  out.u8(op.globalGet);
  out.u32(pages);
  out.u8(op.globalGet);
  out.u32(pages);
  out.u8(op.localGet);
  out.u32(0);
  out.u8(op.i32Add);
  out.u8(op.globalSet);
  out.u32(pages);
  out.u8(op.end);
}
