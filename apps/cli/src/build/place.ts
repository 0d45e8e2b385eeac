import { SourceMap } from 'node:module';
import path from 'node:path';
import { shown } from '../project.ts';

/** A problem at a place in a file of the author's, both counted from 1 and in UTF-16 units, as editors do. */
export interface Place {
  file: string;
  line: number;
  column: number;
  message: string;
}

/** `src/step.ts:3:9 message`, which editors and terminals open at a click. */
export function describePlace({ file, line, column, message }: Place): string {
  return `${file.startsWith('npm:') ? file : shown(file)}:${line}:${column} ${message}`;
}

/** A place in a bundle, in the file it came from: one of the author's, or `npm:<name>@<version>/<file>`. */
export type Locate = (line: number, column: number) => { file: string; line: number; column: number } | null;

/** Reads a source map, on first use; its sources are relative to `dir`. */
export function locateIn(map: string, dir: string): Locate {
  let parsed: SourceMap | undefined;
  return (line, column) => {
    parsed ??= new SourceMap(JSON.parse(map));
    const entry = parsed.findEntry(line - 1, column - 1);
    if (!('originalSource' in entry)) return null;
    const file = entry.originalSource.startsWith('npm:') ? entry.originalSource : path.resolve(dir, entry.originalSource);
    return { file, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  };
}
