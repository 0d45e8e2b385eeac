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
  /** One of externalKind. */
  kind: number;
  /** Index of a function's or tag's type. */
  type: number;
  offset: number;
}

/** In pages of 64 KiB. */
export interface MemoryLimits {
  minimum: number;
  maximum: number | undefined;
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
  tag: 13,
} as const;

export const externalKind = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

export const valueTypes = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, funcref: 0x70, externref: 0x6f, empty: 0x40 } as const;

const knownValueTypes = new Set<number>([
  valueTypes.i32,
  valueTypes.i64,
  valueTypes.f32,
  valueTypes.f64,
  valueTypes.v128,
  valueTypes.funcref,
  valueTypes.externref,
]);

/** What instrumentation needs to know of a module. Offsets point into `bytes`. */
export class ModuleInfo {
  readonly bytes: Uint8Array;
  readonly sections = new Map<number, Section>();
  readonly types: FunctionType[] = [];
  readonly imports: ModuleImport[] = [];
  /** Type of what is in each table, imported ones first. */
  readonly tables: number[] = [];
  /** Imported ones first. */
  readonly memories: MemoryLimits[] = [];
  /** Type index of each imported function. */
  readonly importedFunctionTypes: number[] = [];
  importedGlobals = 0;
  importedMemories = 0;
  /** Type index of each own function. */
  readonly functionTypes: number[] = [];
  /** Own ones only. */
  readonly globals: { type: number; mutable: boolean }[] = [];
  /** Type index of each tag, imported ones first. */
  readonly tags: number[] = [];
  readonly exports: ModuleExport[] = [];
  /** The start function; -1 without. */
  start = -1;
  /** Functions that elements of tables and initial values of globals refer to. */
  readonly referredFunctions = new Set<number>();
  /** Where the bits of a NaN can be seen they are to be the same on every processor. */
  canonicalNan = false;
  /** A function catches exceptions: a call may end in one and the function goes on. */
  catchesExceptions = false;
  /** A function reference can go from the module to its host, or come from there. */
  sharesFunctionReferences = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get importedFunctions(): number {
    return this.importedFunctionTypes.length;
  }

  get functions(): number {
    return this.importedFunctionTypes.length + this.functionTypes.length;
  }

  functionTypeIndex(index: number): number {
    const imported = this.importedFunctionTypes.length;
    return (index < imported ? this.importedFunctionTypes[index] : this.functionTypes[index - imported]) as number;
  }

  functionType(index: number): FunctionType {
    return this.types[this.functionTypeIndex(index)] as FunctionType;
  }
}

/** Reads everything but function bodies of a module that the engine has already found valid. */
export function parseModule(bytes: Uint8Array): ModuleInfo {
  const info = new ModuleInfo(bytes);
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
    case sectionId.table:
      return repeat(reader, () => info.tables.push(readTable(reader)));
    case sectionId.memory:
      return repeat(reader, () => info.memories.push(limits(reader)));
    case sectionId.tag:
      return repeat(reader, () => {
        reader.u8();
        info.tags.push(reader.u32());
      });
    case sectionId.global:
      return repeat(reader, () => {
        info.globals.push({ type: valueType(reader), mutable: reader.u8() === 1 });
        readConstantExpression(reader, (index) => info.referredFunctions.add(index));
      });
    case sectionId.export:
      return repeat(reader, () => readExport(info, reader));
    case sectionId.start:
      info.start = reader.u32();
      return;
    case sectionId.element:
      return repeat(reader, () => readElements(reader, (index) => info.referredFunctions.add(index)));
    case sectionId.code:
    case sectionId.data:
    case sectionId.dataCount:
      return;
    default:
      throw new MeteringError(`section ${section.id} is not supported`, { offset: section.start });
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
  switch (item.kind) {
    case externalKind.function:
      item.type = reader.u32();
      info.importedFunctionTypes.push(item.type);
      if (hasFunctionReference(info.types[item.type])) info.sharesFunctionReferences = true;
      break;
    case externalKind.table:
      info.tables.push(readTable(reader));
      if (info.tables.at(-1) === valueTypes.funcref) info.sharesFunctionReferences = true;
      break;
    case externalKind.memory:
      info.memories.push(limits(reader));
      info.importedMemories++;
      break;
    case externalKind.global:
      if (valueType(reader) === valueTypes.funcref) info.sharesFunctionReferences = true;
      reader.u8();
      info.importedGlobals++;
      break;
    case externalKind.tag:
      reader.u8();
      item.type = reader.u32();
      info.tags.push(item.type);
      if (hasFunctionReference(info.types[item.type])) info.sharesFunctionReferences = true;
      break;
    default:
      throw new MeteringError(`an import of kind ${item.kind} is not supported`, { offset: item.offset });
  }
}

function readExport(info: ModuleInfo, reader: Reader): void {
  const item: ModuleExport = { name: reader.name(), kind: reader.u8(), index: reader.u32() };
  info.exports.push(item);
  if (
    (item.kind === externalKind.table && info.tables[item.index] === valueTypes.funcref) ||
    (item.kind === externalKind.function && hasFunctionReference(info.functionType(item.index))) ||
    (item.kind === externalKind.global && info.globals[item.index - info.importedGlobals]?.type === valueTypes.funcref) ||
    (item.kind === externalKind.tag && hasFunctionReference(info.types[info.tags[item.index] as number]))
  )
    info.sharesFunctionReferences = true;
}

function hasFunctionReference(type: FunctionType | undefined): boolean {
  return type !== undefined && (type.params.includes(valueTypes.funcref) || type.results.includes(valueTypes.funcref));
}

/** Gives the type of what is in the table. */
function readTable(reader: Reader): number {
  const offset = reader.at;
  if (reader.bytes[offset] === 0x40) throw new MeteringError('tables with an initial value are not supported', { offset });
  const type = valueType(reader);
  limits(reader);
  return type;
}

function limits(reader: Reader): MemoryLimits {
  const offset = reader.at;
  const flags = reader.u8();
  if (flags > 1) throw new MeteringError('shared and 64-bit memories are not supported', { offset });
  return { minimum: reader.u32(), maximum: flags === 1 ? reader.u32() : undefined };
}

/** Reads one element segment, up to its end. */
export function readElements(reader: Reader, refer: (index: number, at: number) => void): void {
  const flags = reader.u32();
  if ((flags & 1) === 0) {
    if ((flags & 2) !== 0) reader.u32();
    readConstantExpression(reader, refer);
  }
  if ((flags & 4) === 0) {
    if ((flags & 3) !== 0) reader.u8();
    repeat(reader, () => {
      const at = reader.at;
      refer(reader.u32(), at);
    });
  } else {
    if ((flags & 3) !== 0) valueType(reader);
    repeat(reader, () => readConstantExpression(reader, refer));
  }
}

/** Reads up to and with the `end`. */
export function readConstantExpression(reader: Reader, refer: (index: number, at: number) => void): void {
  for (;;) {
    const offset = reader.at;
    const opcode = reader.u8();
    if (opcode === 0x0b) return;
    if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23) reader.skipLeb();
    else if (opcode === 0xd0) valueType(reader);
    else if (opcode === 0xd2) {
      const at = reader.at;
      refer(reader.u32(), at);
    } else if (opcode === 0x43) reader.at += 4;
    else if (opcode === 0x44) reader.at += 8;
    else if (opcode === 0xfd) {
      reader.u32();
      reader.at += 16;
    } else if (opcode < 0x6a || opcode > 0x7e) throw new MeteringError(`opcode 0x${opcode.toString(16)} is not supported in a constant expression`, { offset });
  }
}

export function repeat(reader: Reader, each: () => void): void {
  for (let left = reader.u32(); left > 0; left--) each();
}

function list<T>(reader: Reader, each: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let left = reader.u32(); left > 0; left--) items.push(each(reader));
  return items;
}
