export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

/** Above this many cells the table of the comparison is not worth its memory: both texts are shown whole. */
const CELLS_MAX = 4_000_000;

/** Lines of two texts side by side: what only `before` has, what only `after` has, and what both have. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split('\n');
  const b = after.split('\n');
  if (a.length * b.length > CELLS_MAX) return [...a.map((text) => ({ sign: '-' as const, text })), ...b.map((text) => ({ sign: '+' as const, text }))];
  const width = b.length + 1;
  // common[i * width + j]: how many lines a[i…] and b[j…] share, in order.
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j] ? (common[(i + 1) * width + j + 1] as number) + 1 : Math.max(common[(i + 1) * width + j] as number, common[i * width + j + 1] as number);
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: ' ', text: a[i] as string });
      i++;
      j++;
    } else if (j === b.length || (i < a.length && (common[(i + 1) * width + j] as number) >= (common[i * width + j + 1] as number))) {
      lines.push({ sign: '-', text: a[i++] as string });
    } else lines.push({ sign: '+', text: b[j++] as string });
  }
  return lines;
}
