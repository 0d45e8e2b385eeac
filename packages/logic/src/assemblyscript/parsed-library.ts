import * as asc from 'assemblyscript';
import { type LibraryFile, libraryPrefix, stepModule } from './library.ts';

/** The library as syntax trees, which the compiler reads and does not change: parsing it takes most of the time of a compilation. */
export interface ParsedLibrary {
  addTo(program: asc.Program): void;
}

/** Files whose code runs or whose exports the module has. */
const entries = new Set([`${libraryPrefix}rt/index-stub`, 'entry']);

export function parseLibrary(files: LibraryFile[]): ParsedLibrary {
  const program = asc.newProgram(asc.newOptions());
  for (const { name, text } of files) asc.parse(program, text, `${name}.ts`, entries.has(name));
  const problem = asc.nextDiagnostic(program);
  if (problem) throw new Error(`bug: the library does not parse: ${asc.formatDiagnostic(problem, false, true)}`);
  program.module.dispose();
  // An import of a directory goes by the directory's name.
  const names = [...files.map(({ name }) => name), libraryPrefix + stepModule];
  return {
    addTo(target) {
      target.sources.push(...program.sources);
      for (const name of names) {
        target.parser.donelog.add(name);
        target.parser.seenlog.add(name);
      }
    },
  };
}
