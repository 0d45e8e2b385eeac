import type { Reader } from './bytes.ts';
import { MeteringError } from './errors.ts';
import { valueType } from './module.ts';
import { fixedPrice } from './price-table.ts';

/** A place in a body that instrumentation acts on. Marks are in order of position, four numbers each: position, kind, a, b. */
export const mark = {
  /** A basic block starts here; a: its number. */
  block: 0,
  /** A basic block starts here and it is the head of a loop; a: its number. */
  loop: 1,
  /** The instruction here ends a basic block. */
  leaveBlock: 2,
  /** A call; b: where it ends. */
  call: 3,
  return: 4,
  unreachable: 5,
  /** A call that does not come back; it leaves the function. */
  tailCall: 6,
  /** An instruction whose price depends on its topmost operand; a: its dynamicPrice; b: where it ends. */
  dynamic: 7,
  memorySize: 8,
} as const;

/** How the price follows from the operand. */
export const dynamicPrice = { eighthOfOperand: 0, operand: 1, pages: 2 } as const;

export interface FunctionBody {
  index: number;
  start: number;
  end: number;
  /** Local declarations: how many groups, where the first starts and where code starts. */
  localGroups: number;
  localsAt: number;
  codeAt: number;
  locals: number;
  /** Sum of the fixed prices of each basic block. */
  prices: number[];
  marks: number[];
  /** Heads of loops that are branched to. */
  repeated: Set<number>;
  /** A branch targets the function's own label: it leaves the function without `return`. */
  branchesOut: boolean;
  calls: number;
  hasDynamicPrices: boolean;
  changesTables: boolean;
}

const maxLocals = 49_000;

interface Frame {
  kind: 'function' | 'block' | 'loop' | 'if';
  /** Cannot be reached. */
  dead: boolean;
  /** Its end is reached by a branch, or by an arm of an `if`. */
  joined: boolean;
  elseSeen: boolean;
  loopBlock: number;
}

/** Cuts a body into basic blocks and adds up their prices. Code that cannot be reached gets none: it is copied as it is. */
export function readFunctionBody(reader: Reader, end: number, index: number): FunctionBody {
  const start = reader.at;
  const localGroups = reader.u32();
  const localsAt = reader.at;
  let locals = 0;
  for (let left = localGroups; left > 0; left--) {
    locals += reader.u32();
    valueType(reader);
  }
  if (locals > maxLocals) throw new MeteringError(`a function has at most ${maxLocals} locals, not ${locals}`, { functionIndex: index, offset: start });

  const prices: number[] = [0];
  const marks: number[] = [];
  const body: FunctionBody = {
    index,
    start,
    end,
    localGroups,
    localsAt,
    codeAt: reader.at,
    locals,
    prices,
    marks,
    repeated: new Set(),
    branchesOut: false,
    calls: 0,
    hasDynamicPrices: false,
    changesTables: false,
  };
  const frames: Frame[] = [{ kind: 'function', dead: false, joined: false, elseSeen: false, loopBlock: -1 }];
  const top = (): Frame => frames[frames.length - 1] as Frame;
  /** Number of the basic block that is being read; -1 in code that cannot be reached. */
  let block = 0;

  const newBlock = (kind: number): void => {
    block = prices.push(0) - 1;
    marks.push(reader.at, kind, block, 0);
  };
  const branch = (depth: number): void => {
    const target = frames[frames.length - 1 - depth] as Frame;
    if (target.kind === 'loop') body.repeated.add(target.loopBlock);
    else if (target.kind === 'function') body.branchesOut = true;
    else target.joined = true;
  };
  const refuse = (offset: number, reason: string): never => {
    throw new MeteringError(reason, { functionIndex: index, offset });
  };

  while (reader.at < end) {
    const at = reader.at;
    const opcode = reader.u8();
    const live = block >= 0;
    if (live) prices[block] = (prices[block] as number) + (fixedPrice[opcode] as number);
    switch (opcode) {
      case 0x00: // unreachable
        if (live) marks.push(at, mark.unreachable, 0, 0);
        block = -1;
        break;
      case 0x02: // block
        skipBlockType(reader);
        frames.push({ kind: 'block', dead: !live, joined: false, elseSeen: false, loopBlock: -1 });
        break;
      case 0x03: // loop
        skipBlockType(reader);
        if (live) {
          marks.push(at, mark.leaveBlock, 0, 0);
          newBlock(mark.loop);
        }
        frames.push({ kind: 'loop', dead: !live, joined: false, elseSeen: false, loopBlock: block });
        break;
      case 0x04: // if
        skipBlockType(reader);
        frames.push({ kind: 'if', dead: !live, joined: false, elseSeen: false, loopBlock: -1 });
        if (live) {
          marks.push(at, mark.leaveBlock, 0, 0);
          newBlock(mark.block);
        }
        break;
      case 0x05: {
        // else
        const frame = top();
        frame.elseSeen = true;
        if (live) {
          marks.push(at, mark.leaveBlock, 0, 0);
          frame.joined = true;
        }
        if (frame.dead) block = -1;
        else newBlock(mark.block);
        break;
      }
      case 0x0b: {
        // end
        const frame = frames.pop() as Frame;
        if (frame.kind === 'if' && !frame.elseSeen && !frame.dead) frame.joined = true;
        if (frames.length > 0 && frame.joined) {
          if (live) marks.push(at, mark.leaveBlock, 0, 0);
          newBlock(mark.block);
        }
        break;
      }
      case 0x0c: {
        // br
        const depth = reader.u32();
        if (live) {
          marks.push(at, mark.leaveBlock, 0, 0);
          branch(depth);
          block = -1;
        }
        break;
      }
      case 0x0d: {
        // br_if
        const depth = reader.u32();
        if (live) {
          marks.push(at, mark.leaveBlock, 0, 0);
          branch(depth);
          newBlock(mark.block);
        }
        break;
      }
      case 0x0e: // br_table
        if (live) marks.push(at, mark.leaveBlock, 0, 0);
        for (let left = reader.u32() + 1; left > 0; left--) {
          const depth = reader.u32();
          if (live) branch(depth);
        }
        block = -1;
        break;
      case 0x0f: // return
        if (live) marks.push(at, mark.return, 0, 0);
        block = -1;
        break;
      case 0x10: // call
      case 0x11: // call_indirect
        reader.skipLeb();
        if (opcode === 0x11) reader.skipLeb();
        if (live) {
          marks.push(at, mark.call, 0, reader.at);
          body.calls++;
        }
        break;
      case 0x12: // return_call
      case 0x13: // return_call_indirect
        reader.skipLeb();
        if (opcode === 0x13) reader.skipLeb();
        if (live) {
          marks.push(at, mark.tailCall, 0, 0);
          body.calls++;
        }
        block = -1;
        break;
      case 0x1c: // select with types
        for (let left = reader.u32(); left > 0; left--) valueType(reader);
        break;
      case 0x26: // table.set
        reader.skipLeb();
        body.changesTables = true;
        break;
      case 0x3f: // memory.size
        reader.skipLeb();
        if (live) marks.push(at, mark.memorySize, 0, reader.at);
        break;
      case 0x40: // memory.grow
        reader.skipLeb();
        if (live) {
          marks.push(at, mark.dynamic, dynamicPrice.pages, reader.at);
          body.hasDynamicPrices = true;
        }
        break;
      case 0x20: // local.get, local.set, local.tee
      case 0x21:
      case 0x22:
      case 0x23: // global.get, global.set
      case 0x24:
      case 0x25: // table.get
      case 0x41: // i32.const, i64.const
      case 0x42:
      case 0xd0: // ref.null, ref.func
      case 0xd2:
        reader.skipLeb();
        break;
      case 0x43:
        reader.at += 4;
        break;
      case 0x44:
        reader.at += 8;
        break;
      case 0xfc:
        readPrefixed(reader, at, live);
        break;
      case 0xfd:
        skipSimd(reader, at);
        break;
      case 0xfe:
        refuse(at, 'threads and atomic instructions are not supported: their result depends on timing');
        break;
      case 0xfb:
        refuse(at, 'instructions of garbage collection are not supported');
        break;
      case 0x14:
      case 0x15:
        refuse(at, 'calls through typed function references are not supported');
        break;
      default:
        if (opcode >= 0x28 && opcode <= 0x3e) skipMemoryArgument(at);
        else if (!((opcode >= 0x45 && opcode <= 0xc4) || opcode === 0x01 || opcode === 0x1a || opcode === 0x1b || opcode === 0xd1)) {
          refuse(at, opcode <= 0x1f ? 'exceptions are not supported' : `opcode 0x${opcode.toString(16)} is not supported`);
        }
    }
  }
  return body;

  function readPrefixed(from: Reader, at: number, live: boolean): void {
    const operation = from.u32();
    // 0–7 are saturating truncations; then memory.init, data.drop, memory.copy, memory.fill, table.init, elem.drop, table.copy, .grow, .size, .fill
    if (operation > 17) refuse(at, `opcode 0xfc ${operation} is not supported`);
    if (operation >= 8) from.skipLeb();
    if (operation === 8 || operation === 10 || operation === 12 || operation === 14) from.skipLeb();
    if (operation === 12 || operation === 14 || operation === 15 || operation === 17) body.changesTables = true;
    const price =
      operation === 8 || operation === 10 || operation === 11
        ? dynamicPrice.eighthOfOperand
        : operation === 12 || operation === 14 || operation === 15 || operation === 17
          ? dynamicPrice.operand
          : -1;
    if (price < 0 || !live) return;
    marks.push(at, mark.dynamic, price, from.at);
    body.hasDynamicPrices = true;
  }

  function skipSimd(from: Reader, at: number): void {
    const operation = from.u32();
    if (operation >= 0x100) refuse(at, 'relaxed SIMD is not supported: its result depends on the processor');
    if (operation <= 11 || operation === 92 || operation === 93) skipMemoryArgument(at);
    else if (operation === 12 || operation === 13) from.at += 16;
    else if (operation >= 21 && operation <= 34) from.at += 1;
    else if (operation >= 84 && operation <= 91) {
      skipMemoryArgument(at);
      from.at += 1;
    }
  }

  function skipMemoryArgument(at: number): void {
    if ((reader.u32() & 0x40) !== 0) refuse(at, 'more than one memory is not supported');
    reader.skipLeb();
  }
}

function skipBlockType(reader: Reader): void {
  const type = reader.bytes[reader.at] as number;
  // A block type is one byte (empty, or a value type, which are negative numbers of one byte) or the index of a type.
  if (type === 0x40 || (type & 0xc0) === 0x40) reader.at++;
  else reader.s32();
}
