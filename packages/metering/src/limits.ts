import { MeteringError } from './errors.ts';
import { externalKind, type FunctionType, type ModuleInfo, sectionId } from './module.ts';

/** Within these an engine takes the module also with the counting in it. */
export const moduleLimits = { bytes: 32 * 1024 * 1024, functions: 200_000, params: 990, results: 990 } as const;
export const bodyLimits = { bytes: 2_500_000, locals: 49_000, operands: 10_000, nesting: 20_000, branchTargets: 65_000 } as const;

/** The largest function that engines take. */
export const engineBodyBytes = 7_654_321;

export type ValueTypeName = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref' | 'externref';

/** A function that a module may import. */
export interface AllowedImport {
  module: string;
  name: string;
  params: readonly ValueTypeName[];
  results: readonly ValueTypeName[];
}

const valueTypeNames: Record<number, ValueTypeName> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  123: 'v128',
  112: 'funcref',
  111: 'externref',
};

/** Sizes that an engine would refuse, or that are there to make trouble. */
export function checkSizes(info: ModuleInfo): void {
  const { bytes, functions, params, results } = moduleLimits;
  if (info.bytes.length > bytes) throw new MeteringError(`a module has at most ${bytes} bytes, not ${info.bytes.length}`);
  const offset = info.sections.get(sectionId.function)?.start;
  if (info.functions > functions) throw new MeteringError(`a module has at most ${functions} functions, not ${info.functions}`, { offset });
  for (const [i, type] of info.types.entries()) {
    const at = { offset: info.sections.get(sectionId.type)?.start };
    if (type.params.length > params) throw new MeteringError(`a function has at most ${params} parameters; type ${i} has ${type.params.length}`, at);
    if (type.results.length > results) throw new MeteringError(`a function has at most ${results} results; type ${i} has ${type.results.length}`, at);
  }
}

/** A module may import from a list only, each function with the type it has. */
export function checkImports(info: ModuleInfo, allowed: readonly AllowedImport[]): void {
  for (const item of info.imports) {
    const what = `the import ${item.module}.${item.name}`;
    const same = allowed.find((candidate) => candidate.module === item.module && candidate.name === item.name);
    if (!same) throw new MeteringError(`${what} is not one of the functions there are: ${list(allowed)}`, { offset: item.offset });
    if (item.kind !== externalKind.function) throw new MeteringError(`${what} is a function, and is imported as something else`, { offset: item.offset });
    const wanted = signature(info.types[item.type] as FunctionType);
    const given = `(${same.params.join(', ')}) → (${same.results.join(', ')})`;
    if (wanted !== given) throw new MeteringError(`${what} is ${given}, and is imported as ${wanted}`, { offset: item.offset });
  }
}

/** A module's memories may not start larger than they may become. */
export function checkMemory(info: ModuleInfo, maxPages: number): void {
  for (const { minimum } of info.memories) {
    if (minimum > maxPages) {
      throw new MeteringError(`the memory starts with ${minimum} pages of 64 KiB, and may have ${maxPages}`, {
        offset: info.sections.get(sectionId.memory)?.start,
      });
    }
  }
}

function signature(type: FunctionType): string {
  const names = (types: number[]): string => types.map((value) => valueTypeNames[value]).join(', ');
  return `(${names(type.params)}) → (${names(type.results)})`;
}

function list(allowed: readonly AllowedImport[]): string {
  return allowed.length === 0 ? 'none' : allowed.map((item) => `${item.module}.${item.name}`).join(', ');
}
