import { Reader } from '@vrsky/metering/bytes';
import { MeteringError } from '@vrsky/metering/errors';
import { instrument, reserved } from '@vrsky/metering/instrument';
import { type ModuleInfo, parseModule, sectionId } from '@vrsky/metering/module';
import { type WasmModule, wasm } from '@vrsky/metering/webassembly';
import { abi, allowedImports } from './wasm-abi.ts';

/** A step's module, metered and compiled. Any thread of the process can make instances of it. */
export interface PreparedModule {
  module: WasmModule;
  /** Names under which its mutable globals are exported. */
  globals: string[];
  /** Putting back memory and globals does not undo all that a message can change. */
  keepsState: boolean;
}

/** A module that a step cannot be, in words for its author. */
export class UnusableModule extends Error {
  override name = 'UnusableModule';
}

const pageBytes = 65_536;
const tableEntriesMax = 65_536;
const kinds = { function: 0, memory: 2 } as const;
const i32 = 0x7f;
/** i32, i64, f32, f64; not vectors and references. */
const numberTypes = new Set([i32, 0x7e, 0x7d, 0x7c]);

/** Meters a module of the logic ABI and compiles it. Throws UnusableModule. */
export function prepareModule(bytes: Uint8Array, memoryBytesMax: number): PreparedModule {
  const { metered, ...rest } = meterModule(bytes, memoryBytesMax);
  return { ...rest, module: new wasm.Module(metered) };
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** A module that counts, still to be compiled. Throws UnusableModule. */
export function meterModule(bytes: Uint8Array, memoryBytesMax: number): { metered: Uint8Array } & Omit<PreparedModule, 'module'> {
  try {
    const { module: metered, report } = instrument(bytes, { allowedImports, maxMemoryPages: Math.floor(memoryBytesMax / pageBytes), canonicalNan: true });
    const info = parseModule(bytes);
    checkAbi(info);
    checkTables(info, report.growsTables);
    // What JavaScript can read of a global and write back without a loss.
    const isPlain = info.globals.every(({ mutable, type }) => !mutable || numberTypes.has(type));
    return { metered, globals: report.mutableGlobals.map(reserved.global), keepsState: report.changesTables || !isPlain };
  } catch (error) {
    if (!(error instanceof MeteringError)) throw error;
    throw new UnusableModule(`The module cannot be used: ${error.message}`);
  }
}

/** Tables are memory, too: what a module may have of them is bounded before an instance is made. */
function checkTables(info: ModuleInfo, mayGrow: boolean): void {
  const section = info.sections.get(sectionId.table);
  if (!section) return;
  const reader = new Reader(info.bytes, section.start);
  let entries = 0;
  for (let left = reader.u32(); left > 0; left--) {
    reader.u8();
    const hasMaximum = reader.u8() === 1;
    const minimum = reader.u32();
    const maximum = hasMaximum ? reader.u32() : Number.POSITIVE_INFINITY;
    entries += mayGrow ? maximum : minimum;
  }
  if (entries <= tableEntriesMax) return;
  const most = `${tableEntriesMax.toLocaleString('en')} entries together`;
  throw new UnusableModule(
    mayGrow
      ? `The module grows its tables, so they need a maximum: they may have ${most}`
      : `The module's tables may have ${most}, not ${entries.toLocaleString('en')}`,
  );
}

function checkAbi(info: ModuleInfo): void {
  const exported = (name: string, kind: number) => info.exports.find((item) => item.name === name && item.kind === kind);
  const imported = info.imports.filter(({ kind }) => kind === kinds.function).map(({ type }) => type);
  const signatureOf = (name: string): string | undefined => {
    const item = exported(name, kinds.function);
    const type = item && info.types[[...imported, ...info.functionTypes][item.index] as number];
    return type && `${type.params.length} → ${type.results.map((result) => (result === i32 ? 'i32' : 'other')).join()}`;
  };
  if (info.start >= 0)
    throw new UnusableModule(`The module has a start function, which runs before anything can be counted: export it as ${abi.initialize} instead`);
  if (!exported(abi.memory, kinds.memory)) throw new UnusableModule(`The module does not export its memory as "${abi.memory}"`);
  if (info.importedMemories > 0) throw new UnusableModule('The module imports its memory: it must have its own');
  const run = signatureOf(abi.run);
  if (run === undefined) throw new UnusableModule(`The module does not export the function ${abi.run}`);
  if (run !== '0 → i32') throw new UnusableModule(`${abi.run} takes nothing and returns an i32`);
  const initialize = signatureOf(abi.initialize);
  if (initialize !== undefined && initialize !== '0 → ') throw new UnusableModule(`${abi.initialize} takes nothing and returns nothing`);
}
