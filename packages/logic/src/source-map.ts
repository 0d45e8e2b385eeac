export interface SourcePosition {
  /** Both from 1. */
  line: number;
  column: number;
}

export type FindSource = (line: number, column: number) => SourcePosition | null;

const comment = '//# sourceMappingURL=data:application/json;base64,';

/** The script without its source map, which the engine does not need. */
export function stripSourceMap(code: string): string {
  const at = code.lastIndexOf(comment);
  return at < 0 ? code : code.slice(0, at);
}

/** Finds a place of a script in the customer's source, by the source map at the script's end. The map is read on first use. */
export function sourceFinder(code: string): FindSource {
  let lines: number[][] | undefined;
  return (line, column) => {
    lines ??= readMappings(code);
    const segments = lines[line - 1];
    if (!segments) return null;
    let found = -1;
    for (let i = 0; i < segments.length && (segments[i] as number) <= column - 1; i += 3) found = i;
    return found < 0 ? null : { line: (segments[found + 1] as number) + 1, column: (segments[found + 2] as number) + 1 };
  };
}

/** For each line of the script: its column, the source's line and the source's column, three numbers each, all from 0. */
function readMappings(code: string): number[][] {
  const at = code.lastIndexOf(comment);
  if (at < 0) return [];
  const map = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(code.slice(at + comment.length).trim()), (char) => char.charCodeAt(0)))) as {
    mappings: string;
    sources: string[];
  };
  const own = map.sources.findIndex((source) => /step\.[jt]s$/.test(source));
  let source = 0;
  let sourceLine = 0;
  let sourceColumn = 0;
  return map.mappings.split(';').map((line) => {
    const segments: number[] = [];
    let column = 0;
    for (const segment of line === '' ? [] : line.split(',')) {
      const [columnBy, sourceBy, lineBy, sourceColumnBy] = readVlq(segment);
      column += columnBy ?? 0;
      if (sourceBy === undefined) continue;
      source += sourceBy;
      sourceLine += lineBy ?? 0;
      sourceColumn += sourceColumnBy ?? 0;
      if (source === own) segments.push(column, sourceLine, sourceColumn);
    }
    return segments;
  });
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function readVlq(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const char of text) {
    const digit = digits.indexOf(char);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit >= 32) continue;
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** The topmost place of a stack that lies in the script `step.js` and in the customer's source. */
export function findInStack(stack: string, find: FindSource): SourcePosition | null {
  for (const match of stack.matchAll(/step\.js:(\d+):(\d+)/g)) {
    const position = find(Number(match[1]), Number(match[2]));
    if (position) return position;
  }
  return null;
}

/** The place that a compiler wrote at the end of a message, as AssemblyScript does: `… (step.ts:12:5)`. */
export function findInText(text: string): SourcePosition | null {
  const match = /\(step\.ts:(\d+):(\d+)\)$/.exec(text);
  return match ? { line: Number(match[1]), column: Number(match[2]) } : null;
}
