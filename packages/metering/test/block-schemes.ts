import { Reader, Writer } from '../src/bytes.ts';
import { depthBits, instruction } from '../src/fuel-word.ts';
import { dynamicPrice, event, eventSize, exitNode, FlowGraph, type FunctionBody, readFunctionBody } from '../src/function-body.ts';
import { reserved } from '../src/instrument.ts';
import { externalKind, type FunctionType, type ModuleInfo, parseModule, sectionId, valueTypes } from '../src/module.ts';
import { op } from '../src/opcodes.ts';
import { writeModule } from '../src/sections.ts';

/** The published count, which is what there is after a trap of the module's own. */
export const publishedExport = 'published';

/**
 * Counting as others do it, to compare with. `naive`: every basic block subtracts its price from a global and compares it (Wasmer).
 * `local`: every basic block subtracts its price from a local, which is compared at heads of loops and on entry, and written back to the
 * global and read again around calls (Wasmtime). Both do not limit nested calls. `naive` can publish as the real one does, in a global
 * of its own.
 */
export function instrumentBlocks(bytes: Uint8Array, scheme: 'naive' | 'local', publishes = false): Uint8Array {
  const info = parseModule(bytes);
  const section = info.sections.get(sectionId.code);
  const graph = new FlowGraph(bytes.length);
  const reader = new Reader(bytes, section?.start ?? 0);
  const bodies = Array.from({ length: section ? reader.u32() : 0 }, (_, i) => {
    const size = reader.u32();
    return readFunctionBody(info, graph, reader, reader.at + size, i);
  });
  const fuel = info.importedGlobals + info.globals.length;
  const types = [...info.types];
  if (bodies.some((body) => body.catches)) throw new Error('the blocks of a module that catches exceptions are others');
  const code = new Writer(bytes.length * 2);
  code.u32(bodies.length);
  const out = new Writer(65_536);
  for (const body of bodies) {
    if (scheme === 'naive') writeNaive(out, info, graph, body, fuel, publishes);
    else writeLocal(out, info, graph, body, fuel, types);
    code.u32(out.length);
    code.raw(out.written);
    out.clear();
  }
  const mutable = info.globals.flatMap((global, i) => (global.mutable ? [info.importedGlobals + i] : []));
  return writeModule(info, {
    types,
    functionTypes: info.functionTypes,
    maxMemoryPages: undefined,
    globals: [valueTypes.i64, valueTypes.i64],
    exports: [
      [reserved.fuel, externalKind.global, fuel],
      [publishedExport, externalKind.global, fuel + 1],
      ...(info.start >= 0 ? [[reserved.start, externalKind.function, info.start] as [string, number, number]] : []),
      ...mutable.map((index): [string, number, number] => [reserved.global(index), externalKind.global, index]),
    ],
    exported: (index) => index,
    reference: (index) => index,
    declared: [],
    code,
  });
}

function writeNaive(out: Writer, info: ModuleInfo, graph: FlowGraph, body: FunctionBody, fuel: number, publishes: boolean): void {
  const { events } = graph;
  const operand = body.type.params.length + body.locals;
  out.u32(body.localGroups + (body.hasDynamicPrices ? 1 : 0));
  out.raw(info.bytes, body.localsAt, body.codeAt);
  if (body.hasDynamicPrices) {
    out.u32(1);
    out.u8(valueTypes.i32);
  }
  const global = (opcode: number, index = fuel): void => {
    out.u8(opcode);
    out.u32(index);
  };
  const check = (): void => {
    global(op.globalGet);
    out.u8(op.i64Const);
    out.s64(0);
    out.u8(op.i64LtS);
    out.u8(op.if);
    out.u8(valueTypes.empty);
    out.u8(op.unreachable);
    out.u8(op.end);
  };
  const charge = (price: number): void => {
    if (price === 0) return;
    global(op.globalGet);
    out.u8(op.i64Const);
    out.s64(price * instruction);
    out.u8(op.i64Sub);
    global(op.globalSet);
    check();
  };
  const publish = (): void => {
    if (!publishes) return;
    global(op.globalGet);
    global(op.globalSet, fuel + 1);
  };
  let copied = body.codeAt;
  const copyTo = (position: number): void => {
    out.raw(info.bytes, copied, position);
    copied = position;
  };
  charge(graph.cost.get(body.firstBlock));
  for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
    const block = events.get(e + 2);
    const a = events.get(e + 3);
    const end = events.get(e + 4);
    switch (events.get(e + 1)) {
      case event.block:
      case event.loop:
      case event.catch:
        copyTo(events.get(e));
        charge(graph.cost.get(block));
        if (graph.repeated.get(block) === 1) publish();
        break;
      case event.call:
        if (a >= info.importedFunctions) break;
        copyTo(events.get(e));
        publish();
        copyTo(end);
        publish();
        break;
      case event.callIndirect:
        copyTo(events.get(e));
        publish();
        copyTo(end);
        publish();
        break;
      case event.tailCallIndirect:
      case event.unreachable:
      case event.throw:
        copyTo(events.get(e));
        publish();
        break;
      case event.tailCall:
        if (a >= info.importedFunctions) break;
        copyTo(events.get(e));
        publish();
        out.u8(op.call);
        copied = events.get(e) + 1;
        copyTo(end);
        publish();
        out.u8(op.return);
        break;
      case event.dynamic:
        copyTo(events.get(e));
        out.u8(op.localTee);
        out.u32(operand);
        global(op.globalGet);
        writePriceOf(out, operand, a);
        out.u8(op.i64Sub);
        global(op.globalSet);
        check();
    }
  }
  copyTo(body.end);
}

function writeLocal(out: Writer, info: ModuleInfo, graph: FlowGraph, body: FunctionBody, fuel: number, types: FunctionType[]): void {
  const { events } = graph;
  const local = body.type.params.length + body.locals;
  out.u32(body.localGroups + (body.hasDynamicPrices ? 2 : 1));
  out.raw(info.bytes, body.localsAt, body.codeAt);
  out.u32(1);
  out.u8(valueTypes.i64);
  if (body.hasDynamicPrices) {
    out.u32(1);
    out.u8(valueTypes.i32);
  }
  const get = (): void => {
    out.u8(op.localGet);
    out.u32(local);
  };
  const set = (): void => {
    out.u8(op.localSet);
    out.u32(local);
  };
  const spill = (): void => {
    get();
    out.u8(op.globalSet);
    out.u32(fuel);
  };
  const reload = (): void => {
    out.u8(op.globalGet);
    out.u32(fuel);
    set();
  };
  const charge = (price: number): void => {
    if (price === 0) return;
    get();
    out.u8(op.i64Const);
    out.s64(price * instruction);
    out.u8(op.i64Sub);
    set();
  };
  const check = (): void => {
    get();
    out.u8(op.i64Const);
    out.s64(0);
    out.u8(op.i64LtS);
    out.u8(op.if);
    out.u8(valueTypes.empty);
    spill();
    out.u8(op.unreachable);
    out.u8(op.end);
  };
  let exits = body.needsExitBlock;
  for (let edge = body.firstEdge; edge < body.endEdge; edge++) exits ||= graph.to.get(edge) === exitNode;
  let copied = body.codeAt;
  const copyTo = (position: number): void => {
    out.raw(info.bytes, copied, position);
    copied = position;
  };
  reload();
  charge(graph.cost.get(body.firstBlock));
  check();
  if (exits) {
    out.u8(op.block);
    const { results } = body.type;
    if (results.length === 0) out.u8(valueTypes.empty);
    else if (results.length === 1) out.u8(results[0] as number);
    else out.s64(types.push({ params: [], results }) - 1);
  }
  for (let e = body.firstEvent; e < body.endEvent; e += eventSize) {
    const block = events.get(e + 2);
    const end = events.get(e + 4);
    switch (events.get(e + 1)) {
      case event.block:
      case event.loop:
        copyTo(events.get(e));
        charge(graph.cost.get(block));
        if (graph.repeated.get(block) === 1) check();
        break;
      case event.catch:
        copyTo(events.get(e));
        reload();
        charge(graph.cost.get(block));
        break;
      case event.call:
      case event.callIndirect:
        copyTo(events.get(e));
        spill();
        copyTo(end);
        reload();
        break;
      case event.tailCall:
      case event.tailCallIndirect:
      case event.return:
      case event.branchOut:
      case event.unreachable:
      case event.throw:
        copyTo(events.get(e));
        spill();
        break;
      case event.end:
        copyTo(events.get(e));
        if (!exits) spill();
        break;
      case event.dynamic:
        copyTo(events.get(e));
        out.u8(op.localTee);
        out.u32(local + 1);
        get();
        writePriceOf(out, local + 1, events.get(e + 3));
        out.u8(op.i64Sub);
        set();
        check();
    }
  }
  copyTo(body.end - 1);
  if (exits) {
    out.u8(op.end);
    spill();
  }
  out.u8(op.end);
}

function writePriceOf(out: Writer, operand: number, kind: number): void {
  out.u8(op.localGet);
  out.u32(operand);
  out.u8(op.i64ExtendI32U);
  if (kind === dynamicPrice.eighthOfOperand) {
    out.u8(op.i64Const);
    out.s64(3);
    out.u8(op.i64ShrU);
  }
  out.u8(op.i64Const);
  out.s64(depthBits + (kind === dynamicPrice.pages ? 10 : 0));
  out.u8(op.i64Shl);
}
