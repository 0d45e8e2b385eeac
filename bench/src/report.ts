/** One measured figure with the goal it is held against; nothing asserts on it. */
export interface Figure {
  value: number;
  unit: string;
  goal?: string;
}

/** Prints the last line of a benchmark: one JSON object that scripts read (DESIGN.md §4). */
export function printFigures(bench: string, figures: Record<string, Figure>): void {
  process.stdout.write(`${JSON.stringify({ bench, figures })}\n`);
}

/** A table for people: right-aligned columns under a rule. */
export function printTable(head: string[], rows: string[][]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: string[]) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ');
  process.stdout.write(`${line(head)}\n${widths.map((width) => '─'.repeat(width)).join('  ')}\n${rows.map((row) => line(row)).join('\n')}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Fixed-size histogram of latencies in microseconds: buckets 2 % wide, so a percentile is exact to 2 %. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(1_200);
  #total = 0;

  record(us: number): void {
    const bucket = us < 1 ? 0 : Math.min(this.#counts.length - 1, Math.floor(Math.log(us) / Math.log(1.02)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  get total(): number {
    return this.#total;
  }

  /** In milliseconds; NaN when nothing was recorded. */
  percentileMs(percent: number): number {
    if (this.#total === 0) return Number.NaN;
    let left = (this.#total * percent) / 100;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return 1.02 ** (bucket + 0.5) / 1_000;
    }
    return Number.NaN;
  }
}
