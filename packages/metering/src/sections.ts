import { Reader, Writer } from './bytes.ts';
import { type FunctionType, type ModuleInfo, readConstantExpression, readElements, repeat, type Section, sectionId, valueTypes } from './module.ts';
import { op } from './opcodes.ts';

/** What the instrumented module has besides, or instead of, what the original has. */
export interface NewParts {
  /** The original's first. */
  types: FunctionType[];
  /** Type index of every own function, the original's first. */
  functionTypes: number[];
  maxMemoryPages: number | undefined;
  /** Mutable globals that start as zero. */
  globals: number[];
  /** Added ones only. */
  exports: [name: string, kind: number, index: number][];
  /** Index of the function that is exported for a function. */
  exported(index: number): number;
  /** Index of the function that a reference to a function refers to. */
  reference(index: number): number;
  /** Functions that instructions refer to. */
  declared: number[];
  code: Writer;
}

/**
 * In the order that the format asks for. The start section is replaced by an export. Custom sections (names, debugging) are left out:
 * their offsets would no longer be right.
 */
const sectionOrder = [
  sectionId.type,
  sectionId.import,
  sectionId.function,
  sectionId.table,
  sectionId.memory,
  sectionId.tag,
  sectionId.global,
  sectionId.export,
  sectionId.element,
  sectionId.dataCount,
  sectionId.code,
  sectionId.data,
];

export function writeModule(info: ModuleInfo, parts: NewParts): Uint8Array {
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

function rewritten(id: number, info: ModuleInfo, parts: NewParts, section: Section | undefined): Writer | null {
  const out = id === sectionId.code ? parts.code : new Writer();
  switch (id) {
    case sectionId.code:
      return parts.functionTypes.length > 0 ? out : null;
    case sectionId.type: {
      const added = parts.types.slice(info.types.length);
      if (added.length === 0) return null;
      out.u32(parts.types.length);
      if (section) copyItems(out, info, section);
      for (const type of added) {
        out.u8(0x60);
        for (const values of [type.params, type.results]) {
          out.u32(values.length);
          out.raw(Uint8Array.from(values));
        }
      }
      return out;
    }
    case sectionId.function:
      if (parts.functionTypes.length === 0) return null;
      out.u32(parts.functionTypes.length);
      for (const type of parts.functionTypes) out.u32(type);
      return out;
    case sectionId.memory:
      if (parts.maxMemoryPages === undefined || !section) return null;
      out.u32(info.memories.length - info.importedMemories);
      for (const { minimum, maximum } of info.memories.slice(info.importedMemories)) {
        out.u8(1);
        out.u32(minimum);
        out.u32(Math.min(maximum ?? parts.maxMemoryPages, parts.maxMemoryPages));
      }
      return out;
    case sectionId.global:
      out.u32(info.globals.length + parts.globals.length);
      if (section) {
        copyReferring(out, info, section, parts.reference, (reader, refer) => {
          reader.at += 2;
          readConstantExpression(reader, refer);
        });
      }
      for (const type of parts.globals) {
        out.u8(type);
        out.u8(1);
        out.u8(type === valueTypes.i64 ? op.i64Const : op.i32Const);
        out.s64(0);
        out.u8(op.end);
      }
      return out;
    case sectionId.export: {
      const kept = info.exports.map((item): [string, number, number] => [item.name, item.kind, item.kind === 0 ? parts.exported(item.index) : item.index]);
      const all = [...kept, ...parts.exports];
      out.u32(all.length);
      for (const [name, kind, index] of all) {
        out.name(name);
        out.u8(kind);
        out.u32(index);
      }
      return out;
    }
    case sectionId.element: {
      const segments = section ? new Reader(info.bytes, section.start).u32() : 0;
      const declares = parts.declared.length > 0 ? 1 : 0;
      if (segments + declares === 0) return null;
      out.u32(segments + declares);
      if (section) copyReferring(out, info, section, parts.reference, readElements);
      if (declares === 1) {
        // The last segment, so that the others keep their numbers. It only declares.
        out.u8(3);
        out.u8(0);
        out.u32(parts.declared.length);
        for (const index of parts.declared) out.u32(index);
      }
      return out;
    }
    default:
      return null;
  }
}

function copyItems(out: Writer, info: ModuleInfo, section: Section): void {
  const reader = new Reader(info.bytes, section.start);
  reader.u32();
  out.raw(info.bytes, reader.at, section.end);
}

/** Copies the items of a section with other functions where they refer to functions. */
function copyReferring(
  out: Writer,
  info: ModuleInfo,
  section: Section,
  reference: (index: number) => number,
  read: (reader: Reader, refer: (index: number, at: number) => void) => void,
): void {
  const reader = new Reader(info.bytes, section.start);
  let copied = -1;
  repeat(reader, () => {
    if (copied < 0) copied = reader.at;
    read(reader, (index, at) => {
      out.raw(info.bytes, copied, at);
      out.u32(reference(index));
      copied = reader.at;
    });
  });
  if (copied >= 0) out.raw(info.bytes, copied, section.end);
}
