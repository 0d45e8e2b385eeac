import { planFunctions } from './bounds.ts';
import { Reader, Writer } from './bytes.ts';
import { createCallGraph } from './call-graph.ts';
import { MeteringError } from './errors.ts';
import { event, eventSize, FlowGraph, type FunctionBody, readFunctionBody } from './function-body.ts';
import { type Target, writeFunction, writeGrow } from './function-writer.ts';
import { type AllowedImport, checkImports, checkMemory, checkSizes, engineBodyBytes } from './limits.ts';
import { externalKind, type FunctionType, type ModuleInfo, parseModule, sectionId, valueTypes } from './module.ts';
import { placeCharges } from './placement.ts';
import { priceTable } from './price-table.ts';
import { writeModule } from './sections.ts';
import { wasm } from './webassembly.ts';
import { type Wrapper, writeWrapper } from './wrapper.ts';

/** Names under which an instrumented module exports what the host needs. A module may not export names with this prefix. */
export const reserved = {
  prefix: 'vrsky:',
  /** What the module may still use, for `createMeter`, which alone knows what is in it. */
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
  /** Refuses a module with a start function: its format has no place for one. */
  refuseStart?: boolean;
  /**
   * Wherever the bits of a NaN that an operation made can be seen, they are the same on every processor. Costs little where numbers are
   * mostly whole, and a third more where they are not. Without, a module that looks at them can count differently on another kind of processor.
   */
  canonicalNan?: boolean;
  /**
   * The count after a trap of the module's own may miss what was executed since the last call of the host or by reference. Saves a
   * few percent of time, for a module that one trusts.
   */
  trusted?: boolean;
  /** `shared`: as if the host could see the module's tables. The count is the same, only the run takes longer. */
  scheme?: 'auto' | 'shared';
}

export interface InstrumentReport {
  priceTable: number;
  /**
   * How fuel passes through calls by reference: `register`, as through all others; `shared`, through a global, because the host can have
   * the reference too (tables or function references that are imported or exported).
   */
  scheme: 'register' | 'shared';
  functions: number;
  basicBlocks: number;
  bytesIn: number;
  bytesOut: number;
  /** Own mutable globals, exported as `reserved.global(index)`. */
  mutableGlobals: number[];
  /** The module has instructions that change a table or drop a segment: restoring memory and globals does not undo them. */
  changesTables: boolean;
  /** The module has table.grow. */
  growsTables: boolean;
}

/**
 * Makes a module count the instructions it executes (price table v1) and stop itself when the budget is used up, or the stack it may
 * take. The count is exact when a call returns, and a property of the module and its input alone. `createMeter` reads it.
 */
export function instrument(module: Uint8Array, options: InstrumentOptions = {}): { module: Uint8Array; report: InstrumentReport } {
  // First: an invalid module could name what is added here by its index.
  if (!wasm.validate(module)) throw new MeteringError('this is not a valid WebAssembly module');
  const info = parseModule(module);
  refuseUnwanted(info, options);

  const sharesTables = info.sharesFunctionReferences || options.scheme === 'shared';
  info.canonicalNan = options.canonicalNan === true;
  let { graph, bodies } = readBodies(info);
  if (bodies.some((body) => body.catches)) {
    // Calls end basic blocks then, in all functions.
    info.catchesExceptions = true;
    ({ graph, bodies } = readBodies(info));
  }
  const calls = createCallGraph(info, graph, bodies, sharesTables);
  const plans = planFunctions(info, graph, bodies, calls);
  const placement = placeCharges(graph, bodies, plans, info.importedFunctions);

  const { types, typeIndex } = createTypes(info);
  const fuelTypes = new Map<number, number>();
  const typeWithFuel = (index: number): number => {
    let found = fuelTypes.get(index);
    if (found === undefined) {
      const { params, results } = info.types[index] as FunctionType;
      found = typeIndex({ params: [...params, valueTypes.i64], results: [...results, valueTypes.i64] });
      fuelTypes.set(index, found);
    }
    return found;
  };
  const wrappers = new Map<number, Wrapper>();
  const firstWrapper = info.functions;
  const wrapperIndices = new Map<number, number>();
  const wrapped = (index: number, direction: Wrapper['direction']): number => {
    const known = wrapperIndices.get(index);
    if (known !== undefined) return known;
    const own = info.functionTypeIndex(index);
    const leafCost = plans[index - info.importedFunctions]?.leafCost ?? -1;
    wrappers.set(index, { callee: index, type: direction === 'out' ? own : typeWithFuel(own), calleeType: info.functionType(index), direction, leafCost });
    wrapperIndices.set(index, firstWrapper + wrappers.size - 1);
    return firstWrapper + wrappers.size - 1;
  };
  const isImported = (index: number): boolean => index < info.importedFunctions;
  const exported = (index: number): number => (isImported(index) ? index : wrapped(index, 'out'));
  const reference = (index: number): number => {
    if (sharesTables) return exported(index);
    return isImported(index) ? wrapped(index, 'in') : index;
  };
  for (const item of info.exports) if (item.kind === externalKind.function) exported(item.index);
  if (info.start >= 0) exported(info.start);
  for (const index of info.referredFunctions) reference(index);
  const declared = [...new Set(functionReferences(graph).map(reference))];

  const firstGlobal = info.importedGlobals + info.globals.length;
  const pages = options.virtualMemory ? firstGlobal + 1 : -1;
  const growFunction = firstWrapper + wrappers.size;
  const target: Target = {
    info,
    graph,
    plans,
    placement,
    fuel: firstGlobal,
    pages,
    growFunction,
    sharesTables,
    publishesLoops: options.trusted !== true,
    typeWithFuel,
    typeIndex,
    reference,
  };

  const code = new Writer(Math.ceil(module.length * 1.6) + 1024);
  code.u32(bodies.length + wrappers.size + (pages < 0 ? 0 : 1));
  const functionTypes: number[] = [];
  const body = new Writer(65_536);
  const add = (type: number): void => {
    functionTypes.push(type);
    code.u32(body.length);
    code.raw(body.written);
    body.clear();
  };
  for (const [i, source] of bodies.entries()) {
    writeFunction(body, target, source);
    if (body.length > engineBodyBytes)
      throw new MeteringError(`the function is too large: with counting ${body.length} bytes`, { functionIndex: source.index, offset: source.start });
    add((plans[i]?.leafCost ?? -1) >= 0 ? source.typeIndex : typeWithFuel(source.typeIndex));
  }
  for (const wrapper of wrappers.values()) {
    writeWrapper(body, wrapper, target.fuel);
    add(wrapper.type);
  }
  if (pages >= 0) {
    writeGrow(body, pages);
    add(typeIndex({ params: [valueTypes.i32], results: [valueTypes.i32] }));
  }

  const mutableGlobals = info.globals.flatMap((global, i) => (global.mutable ? [info.importedGlobals + i] : []));
  const exports: [string, number, number][] = [[reserved.fuel, externalKind.global, target.fuel]];
  if (info.start >= 0) exports.push([reserved.start, externalKind.function, exported(info.start)]);
  if (pages >= 0) exports.push([reserved.pages, externalKind.global, pages], [reserved.maxPages, externalKind.global, pages + 1]);
  for (const index of mutableGlobals) exports.push([reserved.global(index), externalKind.global, index]);
  const out = writeModule(info, {
    types,
    functionTypes,
    maxMemoryPages: options.maxMemoryPages,
    globals: pages < 0 ? [valueTypes.i64] : [valueTypes.i64, valueTypes.i32, valueTypes.i32],
    exports,
    exported,
    reference,
    declared,
    code,
  });
  if (!wasm.validate(out)) throw new Error('bug: instrumentation made an invalid module');
  return {
    module: out,
    report: {
      priceTable: priceTable.version,
      scheme: sharesTables ? 'shared' : 'register',
      functions: bodies.length,
      basicBlocks: graph.cost.length,
      bytesIn: module.length,
      bytesOut: out.length,
      mutableGlobals,
      changesTables: bodies.some((source) => source.changesTables),
      growsTables: bodies.some((source) => source.growsTables),
    },
  };
}

function refuseUnwanted(info: ModuleInfo, options: InstrumentOptions): void {
  checkSizes(info);
  const taken = info.exports.find((item) => item.name.startsWith(reserved.prefix));
  if (taken) throw new MeteringError(`the export name ${JSON.stringify(taken.name)} is reserved: names may not start with ${JSON.stringify(reserved.prefix)}`);
  if (options.allowedImports) checkImports(info, options.allowedImports);
  if (options.maxMemoryPages !== undefined) checkMemory(info, options.maxMemoryPages);
  if (options.refuseStart && info.start >= 0)
    throw new MeteringError('a start function is not supported: nothing may run before the first call', {
      functionIndex: info.start,
      offset: info.sections.get(sectionId.start)?.start,
    });
  if (options.virtualMemory && info.memories.length === 0) throw new MeteringError('virtual memory needs a memory');
}

function readBodies(info: ModuleInfo): { graph: FlowGraph; bodies: FunctionBody[] } {
  const section = info.sections.get(sectionId.code);
  if (!section) return { graph: new FlowGraph(0), bodies: [] };
  const graph = new FlowGraph(section.end - section.start);
  const reader = new Reader(info.bytes, section.start);
  const bodies = Array.from({ length: reader.u32() }, (_, i) => {
    const size = reader.u32();
    return readFunctionBody(info, graph, reader, reader.at + size, i);
  });
  return { graph, bodies };
}

function createTypes(info: ModuleInfo): { types: FunctionType[]; typeIndex(type: FunctionType): number } {
  const types = [...info.types];
  const key = (type: FunctionType): string => `${type.params.join()}>${type.results.join()}`;
  const known = new Map<string, number>();
  for (const [i, type] of types.entries()) if (!known.has(key(type))) known.set(key(type), i);
  return {
    types,
    typeIndex(type) {
      const found = known.get(key(type));
      if (found !== undefined) return found;
      known.set(key(type), types.length);
      return types.push(type) - 1;
    },
  };
}

/** Functions that instructions refer to. */
function functionReferences(graph: FlowGraph): number[] {
  const found: number[] = [];
  if (!graph.refersToFunctions) return found;
  for (let e = 0; e < graph.events.length; e += eventSize) if (graph.events.get(e + 1) === event.functionReference) found.push(graph.events.get(e + 3));
  return found;
}
