export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  type: string;
  help: string;
  series: Series[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const sampleLine = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)?,?\\})? (\\S+)(?: -?\\d+)?$`);
const metaLine = new RegExp(`^# (HELP|TYPE) (${NAME})(?: (.*))?$`);
const types = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);

/**
 * Reads Prometheus's text format as strictly as Prometheus does, and more: a family is in one piece and has its help and type before
 * it, no series is there twice, and the buckets of a histogram only grow and end with all. Throws at the first line that is wrong.
 */
export function parsePrometheusText(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let open = '';
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const [i, line] of text.slice(0, -1).split('\n').entries()) {
    const wrong = (why: string): Error => new Error(`line ${i + 1}: ${why}: ${line}`);
    if (line === '') continue;
    if (line.startsWith('#')) {
      const [, word, name = '', rest = ''] = metaLine.exec(line) ?? [];
      if (word === undefined) continue; // a remark
      if (name !== open && families.has(name)) throw wrong('this family began before');
      open = name;
      const family = families.get(name) ?? { type: '', help: '', series: [] };
      families.set(name, family);
      if (family.series.length > 0) throw wrong('it comes after the values');
      if (word === 'HELP') family.help = rest;
      else if (types.has(rest)) family.type = rest;
      else throw wrong('no such type');
      continue;
    }
    const [, name, labelText = '', valueText = ''] = sampleLine.exec(line) ?? [];
    if (name === undefined) throw wrong('neither a value nor a remark');
    const family = families.get(open);
    if (family === undefined || family.type === '' || family.help === '' || !belongs(name, open, family.type)) throw wrong('its family was not announced');
    const series: Series = { name, labels: toLabels(labelText), value: toNumber(valueText) };
    if (Number.isNaN(series.value) && valueText !== 'NaN') throw wrong('no number');
    const key = JSON.stringify([name, Object.entries(series.labels).toSorted()]);
    if (seen.has(key)) throw wrong('this series was there before');
    seen.add(key);
    family.series.push(series);
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function belongs(name: string, family: string, type: string): boolean {
  if (name === family) return type !== 'histogram';
  if (type === 'histogram') return [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name);
  return type === 'summary' && [`${family}_sum`, `${family}_count`].includes(name);
}

function toLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
  }
  return labels;
}

function toNumber(text: string): number {
  const infinite = /^([+-]?)Inf$/.exec(text);
  if (infinite) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return text === '' ? Number.NaN : Number(text);
}

function checkHistogram(name: string, { series }: Family): void {
  const groups = new Map<string, { buckets: [le: number, count: number][]; count: number | undefined; hasSum: boolean }>();
  for (const { name: part, labels, value } of series) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(Object.entries(rest).toSorted());
    const group = groups.get(key) ?? { buckets: [], count: undefined, hasSum: false };
    groups.set(key, group);
    if (part.endsWith('_bucket')) group.buckets.push([toNumber(le ?? ''), value]);
    else if (part.endsWith('_count')) group.count = value;
    else group.hasSum = true;
  }
  for (const [labels, { buckets, count, hasSum }] of groups) {
    const inOrder = buckets.every(([le, value], i) => i === 0 || (le > (buckets[i - 1]?.[0] ?? 0) && value >= (buckets[i - 1]?.[1] ?? 0)));
    const [last, all] = buckets.at(-1) ?? [];
    if (!inOrder || last !== Number.POSITIVE_INFINITY || all !== count || !hasSum) throw new Error(`the buckets of ${name} ${labels} do not fit together`);
  }
}
