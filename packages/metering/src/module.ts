import { Reader } from './bytes.ts';
import { MeteringError } from './errors.ts';

export interface Section {
  id: number;
  start: number;
  end: number;
}

export interface FunctionType {
  params: number[];
  results: number[];
}

export interface ModuleExport {
  name: string;
  kind: number;
  index: number;
}

export interface ModuleImport {
  module: string;
  name: string;
  /** 0 function, 1 table, 2 memory, 3 global. */
  kind: number;
  /** Of a function. */
  type: number;
  offset: number;
}

/** In pages of 64 KiB. */
export interface MemoryLimits {
  minimum: number;
  maximum: number | undefined;
}

/** What instrumentation needs to know of a module. Offsets point into `bytes`. */
export interface ModuleInfo {
  bytes: Uint8Array;
  sections: Map<number, Section>;
  types: FunctionType[];
  imports: ModuleImport[];
  /** Imported ones first. */
  memories: MemoryLimits[];
  importedFunctions: number;
  importedGlobals: number;
  importedTables: number;
  importedMemories: number;
  /** Type index of each own function. */
  functionTypes: number[];
  globals: { type: number; mutable: boolean }[];
  exports: ModuleExport[];
  /** The start function; -1 without. */
  start: number;
}

export const sectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

const knownValueTypes = new Set([0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f]);

/** Reads everything but function bodies of a module that the engine has already found valid. */
export function parseModule(bytes: Uint8Array): ModuleInfo {
  const info: ModuleInfo = {
    bytes,
    sections: new Map(),
    types: [],
    imports: [],
    memories: [],
    importedFunctions: 0,
    importedGlobals: 0,
    importedTables: 0,
    importedMemories: 0,
    functionTypes: [],
    globals: [],
    exports: [],
    start: -1,
  };
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const id = reader.u8();
    const length = reader.u32();
    const section: Section = { id, start: reader.at, end: reader.at + length };
    if (id !== sectionId.custom) {
      info.sections.set(id, section);
      readSection(info, reader, section);
    }
    reader.at = section.end;
  }
  return info;
}

function readSection(info: ModuleInfo, reader: Reader, section: Section): void {
  switch (section.id) {
    case sectionId.type:
      return repeat(reader, () => info.types.push(functionType(reader)));
    case sectionId.import:
      return repeat(reader, () => readImport(info, reader));
    case sectionId.function:
      return repeat(reader, () => info.functionTypes.push(reader.u32()));
    case sectionId.global:
      return repeat(reader, () => {
        info.globals.push({ type: valueType(reader), mutable: reader.u8() === 1 });
        skipConstantExpression(reader);
      });
    case sectionId.export:
      return repeat(reader, () => info.exports.push({ name: reader.name(), kind: reader.u8(), index: reader.u32() }));
    case sectionId.start:
      info.start = reader.u32();
      return;
    case sectionId.memory:
      return repeat(reader, () => info.memories.push(limits(reader)));
    case sectionId.table:
    case sectionId.element:
    case sectionId.code:
    case sectionId.data:
    case sectionId.dataCount:
      return;
    case 13:
      throw new MeteringError('exceptions are not supported', { offset: section.start });
    default:
      throw new MeteringError(`section ${section.id} is not known`, { offset: section.start });
  }
}

function functionType(reader: Reader): FunctionType {
  const offset = reader.at;
  const form = reader.u8();
  if (form !== 0x60) throw new MeteringError('types of garbage-collected objects are not supported', { offset });
  return { params: list(reader, valueType), results: list(reader, valueType) };
}

export function valueType(reader: Reader): number {
  const offset = reader.at;
  const type = reader.u8();
  if (!knownValueTypes.has(type)) throw new MeteringError(`value type 0x${type.toString(16)} is not supported`, { offset });
  return type;
}

function readImport(info: ModuleInfo, reader: Reader): void {
  const item: ModuleImport = { offset: reader.at, module: reader.name(), name: reader.name(), kind: reader.u8(), type: -1 };
  info.imports.push(item);
  if (item.kind === 0) {
    item.type = reader.u32();
    info.importedFunctions++;
  } else if (item.kind === 1) {
    valueType(reader);
    limits(reader);
    info.importedTables++;
  } else if (item.kind === 2) {
    info.memories.push(limits(reader));
    info.importedMemories++;
  } else if (item.kind === 3) {
    valueType(reader);
    reader.u8();
    info.importedGlobals++;
  } else throw new MeteringError('an import is a function, table, memory or global', { offset: item.offset });
}

function limits(reader: Reader): MemoryLimits {
  const offset = reader.at;
  const flags = reader.u8();
  if (flags > 1) throw new MeteringError('shared and 64-bit memories are not supported', { offset });
  return { minimum: reader.u32(), maximum: flags === 1 ? reader.u32() : undefined };
}

function skipConstantExpression(reader: Reader): void {
  for (;;) {
    const offset = reader.at;
    const opcode = reader.u8();
    if (opcode === 0x0b) return;
    if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23 || opcode === 0xd0 || opcode === 0xd2) reader.skipLeb();
    else if (opcode === 0x43) reader.at += 4;
    else if (opcode === 0x44) reader.at += 8;
    else if (opcode === 0xfd) {
      reader.u32();
      reader.at += 16;
    } else if (opcode < 0x6a || opcode > 0x7e) throw new MeteringError(`opcode 0x${opcode.toString(16)} is not supported in a constant expression`, { offset });
  }
}

function repeat(reader: Reader, each: () => void): void {
  for (let left = reader.u32(); left > 0; left--) each();
}

function list<T>(reader: Reader, each: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let left = reader.u32(); left > 0; left--) items.push(each(reader));
  return items;
}
