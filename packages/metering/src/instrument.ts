import { Reader, Writer } from './bytes.ts';
import { MeteringError } from './errors.ts';
import { dynamicPrice, type FunctionBody, mark, readFunctionBody } from './function-body.ts';
import { type AllowedImport, checkImports, checkMemory } from './limits.ts';
import { type FunctionType, type ModuleInfo, parseModule, sectionId } from './module.ts';
import { priceTable } from './price-table.ts';
import { wasm } from './webassembly.ts';

/** Names under which an instrumented module exports what the host needs. A module may not export names with this prefix. */
export const reserved = {
  prefix: 'vrsky:',
  /** Mutable i64: instructions left. The host sets it before a call; below zero, the module stopped because of it. */
  fuel: 'vrsky:fuel',
  /** What was the start function. Nothing runs on instantiation, when there is no budget yet: the host calls it first. */
  start: 'vrsky:start',
  /** With virtual memory: mutable i32 globals, the module's size of memory in pages and how far it may grow it. */
  pages: 'vrsky:pages',
  maxPages: 'vrsky:max-pages',
  /** Mutable global `i`, so that the host can put back its value. */
  global: (index: number) => `vrsky:global:${index}`,
} as const;

export interface InstrumentOptions {
  /**
   * memory.size and memory.grow work on a counter instead of the memory, which the host gives its full size beforehand. So the
   * host can shrink it again, and knows how far it can be dirty. Only for modules that stay within their memory by themselves:
   * an access beyond the counter does not trap.
   */
  virtualMemory?: boolean;
  /** The module's own memory may have this many pages of 64 KiB at most: memory.grow says no beyond. */
  maxMemoryPages?: number;
  /** What the module may import; anything when left out. */
  allowedImports?: readonly AllowedImport[];
}

export interface InstrumentReport {
  priceTable: number;
  functions: number;
  basicBlocks: number;
  bytesIn: number;
  bytesOut: number;
  /** Own mutable globals, exported as `reserved.global(index)`. */
  mutableGlobals: number[];
  /** The module has instructions that change a table: restoring memory and globals does not undo them. */
  changesTables: boolean;
}

/**
 * Makes a module count the instructions it executes (price table v1) and stop itself when the budget is used up. The count is exact
 * when a call returns, and a property of the module and its input alone. A budget that is used up traps (`unreachable`) with a
 * negative number in `reserved.fuel`; any other trap leaves the count as of the last call, loop head or return.
 */
export function instrument(module: Uint8Array, options: InstrumentOptions = {}): { module: Uint8Array; report: InstrumentReport } {
  // First: an invalid module could name what is added here by its index.
  if (!wasm.validate(module)) throw new MeteringError('this is not a valid WebAssembly module');
  const info = parseModule(module);
  const taken = info.exports.find((item) => item.name.startsWith(reserved.prefix));
  if (taken) throw new MeteringError(`the export name ${JSON.stringify(taken.name)} is reserved: names may not start with ${JSON.stringify(reserved.prefix)}`);
  if (options.allowedImports) checkImports(info, options.allowedImports);
  if (options.maxMemoryPages !== undefined) checkMemory(info, options.maxMemoryPages);
  if (options.virtualMemory && info.importedMemories === 0 && !info.sections.has(sectionId.memory)) throw new MeteringError('virtual memory needs a memory');

  const bodies = readBodies(info);
  const types = [...info.types];
  const firstGlobal = info.importedGlobals + info.globals.length;
  const target: Target = {
    fuel: firstGlobal,
    pages: options.virtualMemory ? firstGlobal + 1 : -1,
    growFunction: options.virtualMemory ? info.importedFunctions + info.functionTypes.length : -1,
    typeIndex: (type) => {
      const found = types.findIndex((other) => sameTypes(other.params, type.params) && sameTypes(other.results, type.results));
      return found >= 0 ? found : types.push(type) - 1;
    },
  };

  const code = new Writer(Math.ceil(module.length * 1.6) + 1024);
  code.u32(bodies.length + (target.pages < 0 ? 0 : 1));
  const body = new Writer(65_536);
  let basicBlocks = 0;
  for (const [i, source] of bodies.entries()) {
    body.clear();
    writeFunction(body, info, source, info.types[info.functionTypes[i] as number] as FunctionType, target);
    code.u32(body.length);
    code.raw(body.written);
    basicBlocks += source.prices.length;
  }
  const growType = target.pages < 0 ? -1 : target.typeIndex({ params: [valueTypes.i32], results: [valueTypes.i32] });
  if (growType >= 0) {
    body.clear();
    writeGrow(body, target);
    code.u32(body.length);
    code.raw(body.written);
  }

  const out = assemble(info, { types, growType, target, code, maxMemoryPages: options.maxMemoryPages });
  if (!wasm.validate(out)) throw new Error('bug: instrumentation made an invalid module');
  return {
    module: out,
    report: {
      priceTable: priceTable.version,
      functions: bodies.length,
      basicBlocks,
      bytesIn: module.length,
      bytesOut: out.length,
      mutableGlobals: mutableGlobals(info),
      changesTables: bodies.some((source) => source.changesTables),
    },
  };
}

const valueTypes = { i32: 0x7f, i64: 0x7e, empty: 0x40 } as const;
const op = {
  unreachable: 0x00,
  block: 0x02,
  if: 0x04,
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i64Const: 0x42,
  i32GtU: 0x4b,
  i64LtS: 0x53,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i64Sub: 0x7d,
  i64Shl: 0x86,
  i64ShrU: 0x88,
  i64ExtendI32U: 0xad,
} as const;

/** Indices of what is added to the module. */
interface Target {
  fuel: number;
  /** -1 without virtual memory; the next global is its maximum. */
  pages: number;
  growFunction: number;
  typeIndex(type: FunctionType): number;
}

function readBodies(info: ModuleInfo): FunctionBody[] {
  const section = info.sections.get(sectionId.code);
  if (!section) return [];
  const reader = new Reader(info.bytes, section.start);
  return Array.from({ length: reader.u32() }, (_, i) => {
    const size = reader.u32();
    return readFunctionBody(reader, reader.at + size, info.importedFunctions + i);
  });
}

/**
 * Copies a body with counting put in. Fuel lives in a local, which the engine keeps in a register; the global is brought up to date
 * before anything outside of the function can look, and read again afterwards. It is subtracted once per basic block. It is
 * compared with zero where endless work must pass: at heads of loops and on entry of functions that call.
 */
function writeFunction(out: Writer, info: ModuleInfo, body: FunctionBody, type: FunctionType, target: Target): void {
  const { bytes } = info;
  const { marks, prices } = body;
  const fuel = type.params.length + body.locals;
  const operand = fuel + 1;
  // One basic block and no loop: the local would be written once and read once.
  const straight = prices.length === 1 && !body.hasDynamicPrices && !body.branchesOut;

  out.u32(body.localGroups + (straight ? 0 : body.hasDynamicPrices ? 2 : 1));
  out.raw(bytes, body.localsAt, body.codeAt);
  if (!straight) {
    out.u32(1);
    out.u8(valueTypes.i64);
    if (body.hasDynamicPrices) {
      out.u32(1);
      out.u8(valueTypes.i32);
    }
  }

  /** Whether the local is out of date, because a call may have changed the global. */
  let inGlobal = false;
  const publish = (): void => {
    out.u8(op.localGet);
    out.u32(fuel);
    out.u8(op.globalSet);
    out.u32(target.fuel);
  };
  const toLocal = (): void => {
    if (!inGlobal) return;
    inGlobal = false;
    out.u8(op.globalGet);
    out.u32(target.fuel);
    out.u8(op.localSet);
    out.u32(fuel);
  };
  const toGlobal = (): void => {
    if (inGlobal) return;
    inGlobal = true;
    publish();
  };
  const charge = (price: number): void => {
    if (price === 0) return;
    out.u8(op.localGet);
    out.u32(fuel);
    out.u8(op.i64Const);
    out.s64(price);
    out.u8(op.i64Sub);
    out.u8(op.localSet);
    out.u32(fuel);
  };
  /** Traps when the budget is used up. The global says so by then. */
  const check = (published: boolean): void => {
    out.u8(inGlobal ? op.globalGet : op.localGet);
    out.u32(inGlobal ? target.fuel : fuel);
    out.u8(op.i64Const);
    out.s64(0);
    out.u8(op.i64LtS);
    out.u8(op.if);
    out.u8(valueTypes.empty);
    if (!published) publish();
    out.u8(op.unreachable);
    out.u8(op.end);
  };

  // Entry: take over the fuel and pay for the first block at once.
  const firstPrice = prices[0] as number;
  out.u8(op.globalGet);
  out.u32(target.fuel);
  if (firstPrice > 0) {
    out.u8(op.i64Const);
    out.s64(firstPrice);
    out.u8(op.i64Sub);
  }
  if (straight) {
    inGlobal = true;
    out.u8(op.globalSet);
    out.u32(target.fuel);
  } else {
    out.u8(op.localSet);
    out.u32(fuel);
  }
  if (body.calls > 0) check(straight);

  // Branches to the function's label must pass the code at the end, so they get a label of their own.
  if (body.branchesOut) {
    out.u8(op.block);
    writeBlockType(out, type, target);
  }

  let copied = body.codeAt;
  const copyTo = (position: number): void => {
    out.raw(bytes, copied, position);
    copied = position;
  };
  for (let i = 0; i < marks.length; i += 4) {
    const position = marks[i] as number;
    const a = marks[i + 2] as number;
    const end = marks[i + 3] as number;
    switch (marks[i + 1]) {
      case mark.block:
        copyTo(position);
        inGlobal = false;
        charge(prices[a] as number);
        break;
      case mark.loop:
        copyTo(position);
        inGlobal = false;
        charge(prices[a] as number);
        if (body.repeated.has(a)) {
          publish();
          check(true);
        }
        break;
      case mark.leaveBlock:
        if (!inGlobal) break;
        copyTo(position);
        toLocal();
        break;
      case mark.call:
        if (!inGlobal) {
          copyTo(position);
          toGlobal();
        }
        copyTo(end);
        break;
      case mark.return:
      case mark.unreachable:
      case mark.tailCall:
        if (inGlobal) break;
        copyTo(position);
        toGlobal();
        break;
      case mark.memorySize:
        if (target.pages < 0) break;
        copyTo(position);
        out.u8(op.globalGet);
        out.u32(target.pages);
        copied = end;
        break;
      case mark.dynamic:
        copyTo(position);
        toLocal();
        writeDynamicPrice(a);
        check(false);
        if (a === dynamicPrice.pages && target.pages >= 0) {
          out.u8(op.call);
          out.u32(target.growFunction);
          copied = end;
        }
        break;
      default:
        throw new Error('bug: unknown mark');
    }
  }
  copyTo(body.end - 1);
  if (body.branchesOut) {
    toLocal();
    out.u8(op.end);
    publish();
  } else if (!inGlobal) publish();
  out.u8(op.end);

  /** Pays by the operand on top of the stack, and leaves it there. */
  function writeDynamicPrice(kind: number): void {
    out.u8(op.localTee);
    out.u32(operand);
    out.u8(op.localGet);
    out.u32(fuel);
    out.u8(op.localGet);
    out.u32(operand);
    out.u8(op.i64ExtendI32U);
    if (kind !== dynamicPrice.operand) {
      out.u8(op.i64Const);
      out.s64(kind === dynamicPrice.pages ? Math.log2(priceTable.perPage) : 3);
      out.u8(kind === dynamicPrice.pages ? op.i64Shl : op.i64ShrU);
    }
    out.u8(op.i64Sub);
    out.u8(op.localSet);
    out.u32(fuel);
  }
}

function writeBlockType(out: Writer, type: FunctionType, target: Target): void {
  if (type.results.length === 0) out.u8(valueTypes.empty);
  else if (type.results.length === 1) out.u8(type.results[0] as number);
  else out.s64(target.typeIndex({ params: [], results: type.results }));
}

/** memory.grow on the counter: (pages) → the size before, or -1 when that would be more than the host allows. */
function writeGrow(out: Writer, target: Target): void {
  const pages = target.pages;
  const maxPages = target.pages + 1;
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

interface Parts {
  types: FunctionType[];
  /** Type of the function that grows memory; -1 without virtual memory. */
  growType: number;
  target: Target;
  code: Writer;
  maxMemoryPages: number | undefined;
}

/** In the order that the format asks for; the start section is replaced by an export. Custom sections (names, debugging) are left out: their offsets would no longer be right. */
const sectionOrder = [
  sectionId.type,
  sectionId.import,
  sectionId.function,
  sectionId.table,
  sectionId.memory,
  sectionId.global,
  sectionId.export,
  sectionId.element,
  sectionId.dataCount,
  sectionId.code,
  sectionId.data,
];

function assemble(info: ModuleInfo, parts: Parts): Uint8Array {
  const out = new Writer(parts.code.length + (info.bytes.length >> 1) + 4096);
  out.raw(info.bytes, 0, 8);
  for (const id of sectionOrder) {
    const section = info.sections.get(id);
    const content = rewritten(id, info, parts, section);
    if (content) {
      out.u8(id);
      out.u32(content.length);
      out.raw(content.written);
    } else if (section) {
      out.u8(id);
      out.u32(section.end - section.start);
      out.raw(info.bytes, section.start, section.end);
    }
  }
  return out.written.slice();
}

function rewritten(
  id: number,
  info: ModuleInfo,
  { types, growType, target, code, maxMemoryPages }: Parts,
  section: { start: number; end: number } | undefined,
): Writer | null {
  const out = id === sectionId.code ? code : new Writer();
  switch (id) {
    case sectionId.code:
      return code.length > 1 ? code : null;
    case sectionId.type:
      if (types.length === info.types.length) return null;
      return extended(out, info, section, types.length, () => {
        for (const type of types.slice(info.types.length)) {
          out.u8(0x60);
          out.u32(type.params.length);
          out.raw(Uint8Array.from(type.params));
          out.u32(type.results.length);
          out.raw(Uint8Array.from(type.results));
        }
      });
    case sectionId.function:
      if (growType < 0) return null;
      return extended(out, info, section, info.functionTypes.length + 1, () => out.u32(growType));
    case sectionId.memory:
      if (maxMemoryPages === undefined || !section) return null;
      out.u32(info.memories.length - info.importedMemories);
      for (const { minimum, maximum } of info.memories.slice(info.importedMemories)) {
        out.u8(1);
        out.u32(minimum);
        out.u32(Math.min(maximum ?? maxMemoryPages, maxMemoryPages));
      }
      return out;
    case sectionId.global: {
      const added = target.pages < 0 ? [valueTypes.i64] : [valueTypes.i64, valueTypes.i32, valueTypes.i32];
      return extended(out, info, section, info.globals.length + added.length, () => {
        for (const type of added) {
          out.u8(type);
          out.u8(1);
          out.u8(type === valueTypes.i64 ? op.i64Const : op.i32Const);
          out.s64(0);
          out.u8(op.end);
        }
      });
    }
    case sectionId.export: {
      const kinds = { function: 0, global: 3 } as const;
      const added: [string, number, number][] = [[reserved.fuel, kinds.global, target.fuel]];
      if (info.start >= 0) added.push([reserved.start, kinds.function, info.start]);
      if (target.pages >= 0) added.push([reserved.pages, kinds.global, target.pages], [reserved.maxPages, kinds.global, target.pages + 1]);
      for (const index of mutableGlobals(info)) added.push([reserved.global(index), kinds.global, index]);
      return extended(out, info, section, info.exports.length + added.length, () => {
        for (const [name, kind, index] of added) {
          out.name(name);
          out.u8(kind);
          out.u32(index);
        }
      });
    }
    default:
      return null;
  }
}

/** A section that is a list, with items added at its end. */
function extended(out: Writer, info: ModuleInfo, section: { start: number; end: number } | undefined, count: number, add: () => void): Writer {
  out.u32(count);
  if (section) {
    const reader = new Reader(info.bytes, section.start);
    reader.u32();
    out.raw(info.bytes, reader.at, section.end);
  }
  add();
  return out;
}

function mutableGlobals(info: ModuleInfo): number[] {
  return info.globals.flatMap((global, i) => (global.mutable ? [info.importedGlobals + i] : []));
}

function sameTypes(a: number[], b: number[]): boolean {
  return a.length === b.length && a.every((type, i) => type === b[i]);
}
