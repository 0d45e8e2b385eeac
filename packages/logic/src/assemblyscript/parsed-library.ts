import * as asc from 'assemblyscript';
import { type LibraryFile, libraryPrefix, stepModule } from './library.ts';

/** The library as syntax trees, which the compiler reads and does not change: parsing it takes most of the time of a compilation. */
export interface ParsedLibrary {
  addTo(program: asc.Program): void;
}

/** `entry` is the file whose exports are those of the module. */
export function parseLibrary(library: LibraryFile[], entry: LibraryFile): ParsedLibrary {
  const program = asc.newProgram(asc.newOptions());
  const files = [...library, entry];
  for (const { name, text } of files) asc.parse(program, text, `${name}.ts`, name === entry.name);
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
