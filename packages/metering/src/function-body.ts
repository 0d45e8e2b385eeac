import type { Reader } from './bytes.ts';
import { MeteringError } from './errors.ts';
import { IntList } from './int-list.ts';
import { bodyLimits } from './limits.ts';
import { type FunctionType, type ModuleInfo, valueType, valueTypes } from './module.ts';
import { operandEffect, prefixedEffect, simdEffect } from './operand-effect.ts';
import { fixedPrice } from './price-table.ts';

/** A place in a body that instrumentation acts on. */
export const event = {
  /** A basic block starts here. */
  block: 0,
  /** A basic block starts here and it is the head of a loop. */
  loop: 1,
  /** A basic block starts here and exceptions lead to it. */
  catch: 2,
  /** a: the function called. */
  call: 3,
  /** a: the type called. */
  callIndirect: 4,
  tailCall: 5,
  tailCallIndirect: 6,
  return: 7,
  /** A `br` out of the function: what `return` does. */
  branchOut: 8,
  unreachable: 9,
  throw: 10,
  /** An instruction whose price depends on its topmost operand; a: its dynamicPrice. */
  dynamic: 11,
  memorySize: 12,
  /** a: the edge that is taken when the branch is. */
  branchIf: 13,
  /** The end of an `if` without `else`; a: the edge for the else. */
  noElse: 14,
  /** Code that cannot be reached; a: 1 when the validator thinks that it can. */
  dead: 15,
  /** a: the function referred to. */
  functionReference: 16,
  /** The end of the function, when it is reached. */
  end: 17,
  /** The bits of a number can be seen here that could be a NaN; a: the number's type, whose canonical NaN goes before the instruction. */
  showsNan: 18,
  /** The same after the instruction, for vectors: a is 32 or 64, the size of a lane. */
  makesNan: 19,
} as const;

/** Events are in order of position, five numbers each: position, kind, basic block, a, where the instruction ends. */
export const eventSize = 5;

/** How the price follows from the operand. */
export const dynamicPrice = { eighthOfOperand: 0, operand: 1, pages: 2 } as const;

export const edgeKind = {
  /** Nothing can be put on it that could not be put into one of its ends. */
  plain: 0,
  /** Of a `br_if`, when it is taken. */
  branchIf: 1,
  /** Of an `if` without `else`, when it is not taken. */
  noElse: 2,
} as const;

/** The end of an edge that leaves the function. */
export const exitNode = -1;

/** The basic blocks of all functions of a module and the edges between them. */
export class FlowGraph {
  /** Per block: sum of the fixed prices. */
  readonly cost: IntList;
  /** Per block: 1 when branches lead back to it. */
  readonly repeated: IntList;
  /** Per edge. */
  readonly from: IntList;
  readonly to: IntList;
  readonly kind: IntList;
  /** Per edge: how often it is taken of a thousand times, by a guess. */
  readonly weight: IntList;
  readonly events: IntList;
  /** Places where an instruction names a local, so that the name can be changed. */
  readonly locals: IntList;
  /** There is an event for a reference to a function. */
  refersToFunctions = false;
  /** Edges by the block they leave, as linked lists. */
  readonly #firstOut: IntList;
  readonly #nextOut: IntList;

  /** `codeBytes`: how much code there is, from which follows how much is to be kept of it. */
  constructor(codeBytes: number) {
    const list = (perByte: number): IntList => new IntList(64 + Math.ceil(codeBytes * perByte));
    this.cost = list(0.05);
    this.repeated = list(0.05);
    this.#firstOut = list(0.05);
    this.from = list(0.07);
    this.to = list(0.07);
    this.kind = list(0.07);
    this.weight = list(0.07);
    this.#nextOut = list(0.07);
    this.events = list(0.6);
    this.locals = list(0.2);
  }

  newBlock(): number {
    this.repeated.push(0);
    this.#firstOut.push(-1);
    return this.cost.push(0);
  }

  newEdge(from: number, to: number, kind: number, weight: number): number {
    this.from.push(from);
    this.kind.push(kind);
    this.weight.push(weight);
    const edge = this.to.push(to);
    this.#nextOut.push(this.#firstOut.get(from));
    this.#firstOut.data[from] = edge;
    return edge;
  }

  /** The last edge that leaves a block; -1 without. */
  firstOut(block: number): number {
    return this.#firstOut.get(block);
  }

  /** The next edge that leaves the same block; -1 after the last. */
  nextOut(edge: number): number {
    return this.#nextOut.get(edge);
  }
}

export interface FunctionBody {
  index: number;
  type: FunctionType;
  typeIndex: number;
  start: number;
  end: number;
  /** Local declarations: how many groups, where the first starts and where code starts. */
  localGroups: number;
  localsAt: number;
  codeAt: number;
  locals: number;
  /** Locals, parameters and operands at their most: what a call of it takes of the stack, by an estimate. */
  frameBytes: number;
  /** Ranges in the flow graph. */
  firstBlock: number;
  endBlock: number;
  firstEdge: number;
  endEdge: number;
  firstEvent: number;
  endEvent: number;
  firstLocal: number;
  endLocal: number;
  /** Conditional branches leave the function with results, so that there must be one place where they leave it. */
  needsExitBlock: boolean;
  hasLoops: boolean;
  hasDynamicPrices: boolean;
  hasIndirectCalls: boolean;
  /** It cannot be billed by its callers: it may end early, at a known count. */
  stops: boolean;
  changesTables: boolean;
  growsTables: boolean;
  catches: boolean;
  /** Types of numbers whose NaN is to be made canonical. */
  nanTypes: number[];
}

const frameKind = { function: 0, block: 1, loop: 2, if: 3, try: 4 } as const;

interface Frame {
  kind: number;
  params: number;
  results: number;
  /** Height of the operand stack below the block's parameters. */
  base: number;
  /** The block before an `if`, of whose kind the `else` is. */
  condition: number;
  elseSeen: boolean;
  head: number;
  /** The last edge to the end of the block, which is not known yet; its `to` is the one before. */
  pending: number;
  loops: number;
}

const noEdge = -2;
/** What a call takes of the stack besides locals and operands. */
const frameOverheadBytes = 80;

/** Cuts a body into basic blocks and adds up their prices. Code that cannot be reached is not part of any. */
export function readFunctionBody(info: ModuleInfo, graph: FlowGraph, reader: Reader, end: number, own: number): FunctionBody {
  const index = info.importedFunctions + own;
  const typeIndex = info.functionTypes[own] as number;
  const type = info.types[typeIndex] as FunctionType;
  const start = reader.at;
  const refuse = (offset: number, reason: string): never => {
    throw new MeteringError(reason, { functionIndex: index, offset });
  };
  if (end - start > bodyLimits.bytes) refuse(start, `a function has at most ${bodyLimits.bytes} bytes, not ${end - start}`);
  const localGroups = reader.u32();
  const localsAt = reader.at;
  let locals = 0;
  let localBytes = type.params.reduce((sum, param) => sum + (param === valueTypes.v128 ? 16 : 8), 0);
  for (let left = localGroups; left > 0; left--) {
    const count = reader.u32();
    locals += count;
    localBytes += count * (valueType(reader) === valueTypes.v128 ? 16 : 8);
  }
  if (locals > bodyLimits.locals) refuse(start, `a function has at most ${bodyLimits.locals} locals, not ${locals}`);

  const { cost, events } = graph;
  const bytes = reader.bytes;
  const firstBlock = graph.newBlock();
  const body: FunctionBody = {
    index,
    type,
    typeIndex,
    start,
    end,
    localGroups,
    localsAt,
    codeAt: reader.at,
    locals,
    frameBytes: 0,
    firstBlock,
    endBlock: 0,
    firstEdge: graph.from.length,
    endEdge: 0,
    firstEvent: events.length,
    endEvent: 0,
    firstLocal: graph.locals.length,
    endLocal: 0,
    needsExitBlock: false,
    hasLoops: false,
    hasDynamicPrices: false,
    hasIndirectCalls: false,
    stops: false,
    changesTables: false,
    growsTables: false,
    catches: false,
    nanTypes: [],
  };

  /** The basic block that is being read; -1 in code that cannot be reached. */
  let block = firstBlock;
  let blockCost = 0;
  let height = 0;
  let highest = 0;
  let loops = 0;
  let operandBytes = 8;
  /** Blocks opened in code that cannot be reached, and where that code starts. */
  let deadBlocks = 0;
  let deadFrom = 0;
  /** It starts after the end of a block, from where the validator, who knows less, still sees a way. */
  let deadAfterEnd = false;
  let previous = 0;
  const frames: Frame[] = [];
  let top: Frame = newFrame(frameKind.function, 0, type.results.length, 0);
  frames.push(top);

  function newFrame(kind: number, params: number, results: number, base: number): Frame {
    return { kind, params, results, base, condition: block, elseSeen: false, head: block, pending: noEdge, loops };
  }
  function note(position: number, kind: number, a: number): void {
    events.push3(position, kind, block);
    events.push(a);
    events.push(reader.at);
  }
  /** Whether the number on top of the operands can be a NaN that an operation made: not when it was just loaded, or is a constant. */
  function showsNan(at: number, numberType: number): void {
    if (block < 0 || !info.canonicalNan || previous === 0x2a || previous === 0x2b || previous === 0x43 || previous === 0x44) return;
    note(at, event.showsNan, numberType);
    if (!body.nanTypes.includes(numberType)) body.nanTypes.push(numberType);
  }
  function closeBlock(): void {
    cost.data[block] = blockCost;
    blockCost = 0;
  }
  function openBlock(kind: number): void {
    block = graph.newBlock();
    note(reader.at, kind, 0);
  }
  /** Nothing after this instruction can be reached, up to the end of the block it is in. */
  function die(): void {
    closeBlock();
    block = -1;
    deadBlocks = 0;
    deadFrom = reader.at;
    deadAfterEnd = false;
  }
  function join(frame: Frame, kind: number, weight: number): number {
    const edge = graph.newEdge(block, frame.pending, kind, weight);
    frame.pending = edge;
    return edge;
  }
  /** An edge from the current block to a label. */
  function branch(depth: number, kind: number, weight: number): number {
    const frame = frames[frames.length - 1 - depth] as Frame;
    if (frame.kind === frameKind.loop) {
      graph.repeated.data[frame.head] = 1;
      body.hasLoops = true;
      return graph.newEdge(block, frame.head, kind, weight);
    }
    if (frame.kind === frameKind.function) {
      if (kind !== edgeKind.branchIf) body.needsExitBlock = true;
      return graph.newEdge(block, exitNode, kind, weight);
    }
    return join(frame, kind, weight);
  }
  function blockType(): FunctionType {
    const first = bytes[reader.at] as number;
    if (first === 0x40) {
      reader.at++;
      return emptyType;
    }
    if ((first & 0xc0) === 0x40) {
      valueType(reader);
      return oneResult;
    }
    return info.types[reader.s32()] as FunctionType;
  }
  function open(kind: number): void {
    if (block < 0) {
      blockType();
      deadBlocks++;
      return;
    }
    const { params, results } = blockType();
    if (kind === frameKind.if) height--;
    top = newFrame(kind, params.length, results.length, height - params.length);
    frames.push(top);
    if (frames.length > bodyLimits.nesting) refuse(reader.at, `blocks may be nested ${bodyLimits.nesting} deep`);
  }
  function calls(callee: FunctionType): void {
    height += callee.results.length - callee.params.length;
    if (!info.catchesExceptions) return;
    // The call may end in an exception: what follows is not executed then, so it is another block.
    const before = block;
    closeBlock();
    openBlock(event.block);
    graph.newEdge(before, block, edgeKind.plain, 1000);
  }
  /** The arm before an `else` or `catch`, or what is before an `end`, has come to its end. */
  function endArm(at: number): void {
    if (block >= 0) {
      join(top, edgeKind.plain, 1000);
      closeBlock();
    } else skipDead(at);
  }
  function skipDead(at: number): void {
    if (at === deadFrom && !deadAfterEnd) return;
    events.push3(deadFrom, event.dead, -1);
    events.push(deadAfterEnd ? 1 : 0);
    events.push(at);
  }

  while (reader.at < end) {
    const at = reader.at;
    const opcode = bytes[reader.at++] as number;
    const live = block >= 0;
    if (live) {
      blockCost += fixedPrice[opcode] as number;
      height += operandEffect[opcode] as number;
    }
    switch (opcode) {
      case 0x00: // unreachable
        if (!live) break;
        body.stops = true;
        note(at, event.unreachable, 0);
        die();
        break;
      case 0x01: // nop
        break;
      case 0x02: // block
        open(frameKind.block);
        break;
      case 0x03: // loop
        if (!live) {
          open(frameKind.loop);
          break;
        }
        {
          const before = block;
          open(frameKind.loop);
          closeBlock();
          openBlock(event.loop);
          graph.newEdge(before, block, edgeKind.plain, 1000);
          top.head = block;
          loops++;
          top.loops = loops;
        }
        break;
      case 0x04: // if
        open(frameKind.if);
        if (live) {
          const before = block;
          closeBlock();
          openBlock(event.block);
          graph.newEdge(before, block, edgeKind.plain, 500);
        }
        break;
      case 0x05: // else
        if (deadBlocks > 0) break;
        endArm(at);
        top.elseSeen = true;
        height = top.base + top.params;
        openBlock(event.block);
        graph.newEdge(top.condition, block, edgeKind.plain, 500);
        break;
      case 0x06: // try
        body.catches = true;
        open(frameKind.try);
        break;
      case 0x07: // catch
      case 0x19: {
        // catch_all
        const tag = opcode === 0x07 ? reader.u32() : -1;
        if (deadBlocks > 0) break;
        endArm(at);
        height = top.base + (tag < 0 ? 0 : (info.types[info.tags[tag] as number] as FunctionType).params.length);
        openBlock(event.catch);
        break;
      }
      case 0x18: // delegate
        reader.u32();
        if (deadBlocks > 0) deadBlocks--;
        else closeFrame(at);
        break;
      case 0x0b: // end
        if (deadBlocks > 0) deadBlocks--;
        else if (frames.length === 1) {
          if (block >= 0) {
            note(at, event.end, 0);
            closeBlock();
          } else skipDead(at);
        } else closeFrame(at);
        break;
      case 0x0c: {
        // br
        const depth = reader.u32();
        if (!live) break;
        if ((frames[frames.length - 1 - depth] as Frame).kind === frameKind.function) note(at, event.branchOut, 0);
        else branch(depth, edgeKind.plain, 1000);
        die();
        break;
      }
      case 0x0d: {
        // br_if
        const depth = reader.u32();
        if (!live) break;
        height--;
        const target = frames[frames.length - 1 - depth] as Frame;
        const weight = target.kind === frameKind.loop ? 880 : target.loops < loops ? 100 : 350;
        const carries = target.kind === frameKind.loop ? target.params : target.results;
        const before = block;
        const edge = branch(depth, carries === 0 ? edgeKind.branchIf : edgeKind.plain, weight);
        note(at, event.branchIf, edge);
        closeBlock();
        openBlock(event.block);
        graph.newEdge(before, block, edgeKind.plain, 1000 - weight);
        break;
      }
      case 0x0e: {
        // br_table
        const targets = reader.u32() + 1;
        if (targets > bodyLimits.branchTargets) refuse(at, `br_table has at most ${bodyLimits.branchTargets} targets, not ${targets}`);
        for (let left = targets; left > 0; left--) {
          const depth = reader.u32();
          if (live) branch(depth, edgeKind.plain, Math.max(1, Math.round(1000 / targets)));
        }
        if (live) die();
        break;
      }
      case 0x0f: // return
        if (!live) break;
        note(at, event.return, 0);
        die();
        break;
      case 0x10: {
        // call
        const callee = reader.u32();
        if (!live) break;
        note(at, event.call, callee);
        calls(info.functionType(callee));
        break;
      }
      case 0x11: {
        // call_indirect
        const callee = reader.u32();
        reader.skipLeb();
        if (!live) break;
        height--;
        body.hasIndirectCalls = true;
        note(at, event.callIndirect, callee);
        calls(info.types[callee] as FunctionType);
        break;
      }
      case 0x12: // return_call
      case 0x13: {
        // return_call_indirect
        const callee = reader.u32();
        if (opcode === 0x13) reader.skipLeb();
        if (!live) break;
        if (opcode === 0x13) body.hasIndirectCalls = true;
        body.stops = true;
        note(at, opcode === 0x12 ? event.tailCall : event.tailCallIndirect, callee);
        die();
        break;
      }
      case 0x08: // throw
      case 0x09: // rethrow
        reader.skipLeb();
        if (!live) break;
        body.stops = true;
        note(at, event.throw, 0);
        die();
        break;
      case 0x1c: // select with types
        for (let left = reader.u32(); left > 0; left--) valueType(reader);
        break;
      case 0x20: // local.get, local.set, local.tee
      case 0x21:
      case 0x22:
        if (live) graph.locals.push(reader.at);
        reader.skipLeb();
        break;
      case 0x26: // table.set
        reader.skipLeb();
        body.changesTables = true;
        break;
      case 0x3f: // memory.size
        reader.skipLeb();
        if (live) note(at, event.memorySize, 0);
        break;
      case 0x40: // memory.grow
        reader.skipLeb();
        if (!live) break;
        note(at, event.dynamic, dynamicPrice.pages);
        body.hasDynamicPrices = true;
        break;
      case 0xd2: {
        // ref.func
        const referred = reader.u32();
        if (!live) break;
        graph.refersToFunctions = true;
        note(at, event.functionReference, referred);
        break;
      }
      case 0x23: // global.get, global.set
      case 0x24:
      case 0x25: // table.get
      case 0x41: // i32.const, i64.const
      case 0x42:
        reader.skipLeb();
        break;
      case 0xd0: // ref.null
        valueType(reader);
        break;
      case 0x43:
        reader.at += 4;
        break;
      case 0x44:
        reader.at += 8;
        break;
      case 0xfc:
        readPrefixed(at);
        break;
      case 0xfd:
        readSimd(at);
        break;
      case 0xfe:
        refuse(at, 'threads and atomic instructions are not supported: their result depends on timing');
        break;
      case 0xfb:
        refuse(at, 'instructions of garbage collection are not supported');
        break;
      case 0x14:
      case 0x15:
      case 0xd3:
      case 0xd4:
      case 0xd5:
      case 0xd6:
        refuse(at, 'typed function references are not supported');
        break;
      case 0x0a:
      case 0x1f:
        refuse(at, 'exceptions of the second proposal (try_table, throw_ref) are not supported: compile for the first (try, catch)');
        break;
      case 0x1a:
      case 0x1b:
      case 0xd1:
        break;
      case 0x38: // f32.store
      case 0x39: // f64.store
        skipMemoryArgument(at);
        showsNan(at, opcode === 0x38 ? valueTypes.f32 : valueTypes.f64);
        break;
      case 0x98: // f32.copysign, i32.reinterpret_f32
      case 0xbc:
        showsNan(at, valueTypes.f32);
        break;
      case 0xa6: // f64.copysign, i64.reinterpret_f64
      case 0xbd:
        showsNan(at, valueTypes.f64);
        break;
      default:
        if (opcode >= 0x28 && opcode <= 0x3e) skipMemoryArgument(at);
        else if (opcode < 0x45 || opcode > 0xc4) refuse(at, `opcode 0x${opcode.toString(16)} is not supported`);
    }
    if (height > highest) highest = height;
    previous = opcode;
  }
  if (highest > bodyLimits.operands) refuse(start, `a function has at most ${bodyLimits.operands} operands at a time, not ${highest}`);
  body.frameBytes = frameOverheadBytes + localBytes + highest * operandBytes;
  body.endBlock = cost.length;
  body.endEdge = graph.from.length;
  body.endEvent = events.length;
  body.endLocal = graph.locals.length;
  return body;

  function closeFrame(at: number): void {
    const frame = top;
    frames.pop();
    top = frames[frames.length - 1] as Frame;
    if (frame.kind === frameKind.loop) loops--;
    const reached = block >= 0;
    if (reached && height !== frame.base + frame.results) throw new Error(`bug: function ${index}, offset ${at}: the height of the operand stack is ${height}`);
    if (!reached) skipDead(at);
    height = frame.base + frame.results;
    const before = block;
    if (frame.kind === frameKind.if && !frame.elseSeen) {
      // Without parameters the other way has nothing on it, so that there can be an `else`.
      block = frame.condition;
      const edge = join(frame, frame.params === 0 ? edgeKind.noElse : edgeKind.plain, 500);
      if (frame.params === 0) note(at, event.noElse, edge);
      block = before;
    }
    if (frame.pending === noEdge) {
      // The end is not branched to: the block goes on, or nothing reaches the end.
      deadFrom = reader.at;
      deadAfterEnd = true;
      return;
    }
    if (reached) {
      join(frame, edgeKind.plain, 1000);
      closeBlock();
    }
    openBlock(event.block);
    for (let edge = frame.pending; edge !== noEdge; ) {
      const next = graph.to.get(edge);
      graph.to.data[edge] = block;
      edge = next;
    }
  }

  function readPrefixed(at: number): void {
    const operation = reader.u32();
    // 0–7 are saturating truncations; then memory.init, data.drop, memory.copy, memory.fill, table.init, elem.drop, table.copy, .grow, .size, .fill
    if (operation > 17) refuse(at, `opcode 0xfc ${operation} is not supported`);
    if (operation >= 8) reader.skipLeb();
    if (operation === 8 || operation === 10 || operation === 12 || operation === 14) reader.skipLeb();
    const onTable = operation === 12 || operation === 14 || operation === 15 || operation === 17;
    // A dropped segment stays dropped, as a table stays changed.
    if (onTable || operation === 9) body.changesTables = true;
    if (operation === 15) body.growsTables = true;
    if (block < 0) return;
    height += prefixedEffect[operation] as number;
    if (onTable) note(at, event.dynamic, dynamicPrice.operand);
    else if (operation === 8 || operation === 10 || operation === 11) note(at, event.dynamic, dynamicPrice.eighthOfOperand);
    else return;
    body.hasDynamicPrices = true;
  }

  function readSimd(at: number): void {
    const operation = reader.u32();
    if (operation >= 0x100) refuse(at, 'relaxed SIMD is not supported: its result depends on the processor');
    operandBytes = 16;
    if (block >= 0) height += simdEffect[operation] as number;
    if (operation <= 11 || operation === 92 || operation === 93) skipMemoryArgument(at);
    else if (operation === 12 || operation === 13) reader.at += 16;
    else if (operation >= 21 && operation <= 34) reader.at += 1;
    else if (operation >= 84 && operation <= 91) {
      skipMemoryArgument(at);
      reader.at += 1;
    }
    const lane = nanLane(operation);
    if (lane === 0 || block < 0 || !info.canonicalNan) return;
    note(at, event.makesNan, lane);
    if (!body.nanTypes.includes(valueTypes.v128)) body.nanTypes.push(valueTypes.v128);
  }

  function skipMemoryArgument(at: number): void {
    if ((reader.u32() & 0x40) !== 0) refuse(at, 'more than one memory is not supported');
    reader.skipLeb();
  }
}

/** Size of the lanes of a vector in which an operation can make a NaN, or put one that was made; 0 for other operations. */
function nanLane(operation: number): 0 | 32 | 64 {
  if (operation === 19 || operation === 32) return 32; // splat, replace_lane
  if (operation === 20 || operation === 34) return 64;
  // Roundings, square roots, arithmetic, minimum and maximum (pmin and pmax only choose), demotion and promotion.
  if ((operation >= 103 && operation <= 106) || (operation >= 227 && operation <= 233) || operation === 94) return 32;
  if (operation === 116 || operation === 117 || operation === 122 || operation === 148 || (operation >= 239 && operation <= 245) || operation === 95) return 64;
  return 0;
}

const emptyType: FunctionType = { params: [], results: [] };
const oneResult: FunctionType = { params: [], results: [0] };
