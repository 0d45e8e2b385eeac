import { type Figure, median, printTable } from '../report.ts';
import { type Slice, WINDOW } from './line.ts';
import type { Programs } from './programs.ts';
import type { Start } from './starts.ts';
import type { Load, Subject } from './subject.ts';

type Language = Programs['language'];
type Cost = (slice: Slice) => number;

const perSecond: Cost = (slice) => slice.perSecond;
const hostUs: Cost = (slice) => slice.hostUs;
const peerUs: Cost = (slice) => slice.peerUs;
const perFrame: Cost = (slice) => slice.perFrame;
const cpuUs: Cost = (slice) => slice.hostUs + slice.peerUs;

interface Goals {
  toRaw: string;
  cpuToRaw: string;
  steadyCpuToRaw: string;
  readyMs: string;
  pssIdleMb: string;
}

/** bench/README.md says why these. */
const goals: Record<Language, Goals> = {
  TypeScript: { toRaw: '>= 0.25', cpuToRaw: '<= 4', steadyCpuToRaw: '<= 3', readyMs: '<= 500', pssIdleMb: '<= 64' },
  Go: { toRaw: '>= 0.125', cpuToRaw: '<= 8', steadyCpuToRaw: '<= 4', readyMs: '<= 100', pssIdleMb: '<= 16' },
};
const latencyGoals = { p50Ms: '<= 0.5', p99Ms: '<= 2' };
const sandboxGoals = { readyMs: '<= 100', cpu: '<= 1.1' };

/** For people: a table for each load, and one for starts and memory. */
export function printResults(subjects: readonly Subject[], { steadyRate, heading }: { steadyRate: number; heading: string }): void {
  const print = (title: string, head: string[], cells: (subject: Subject) => string[]): void => {
    process.stdout.write(`\n${title}\n`);
    printTable(
      ['', ...head],
      subjects.map((subject) => [nameOf(subject), ...cells(subject)]),
    );
  };
  const load = (name: 'send' | 'receive') => (subject: Subject) => [
    median(subject.slices[name].map(perSecond)).toFixed(0),
    against(subject, raw(subjects, subject), name, perSecond).toFixed(2),
    ...cpuCells(subjects, subject, name, 1),
    orEmpty(median(subject.slices[name].map(perFrame)), 0),
  ];
  const cpuHead = ['CPU µs a message', 'node', 'other side', 'CPU to raw'];
  const loadHead = ['messages/s', 'to raw', ...cpuHead, 'messages a frame'];
  print(`Node → connector → result: 1 KB, ${WINDOW} on the way, ${heading}`, loadHead, load('send'));
  print(`Connector → node → acknowledgement: 1 KB, ${WINDOW} on the way, ${heading}`, loadHead, load('receive'));
  print(`Node → connector → result, ${steadyRate} messages a second, one by one`, ['p50/p99 ms', ...cpuHead], (subject) => [
    [50, 99].map((percent) => subject.latency.percentileMs(percent).toFixed(2)).join('/'),
    ...cpuCells(subjects, subject, 'steady', 0),
  ]);
  print(
    `Start (median of ${subjects[0]?.starts.length}), and memory of one with all its processes`,
    ['handshake ms', 'ready ms', 'PSS idle MB', 'PSS after load MB', 'RSS after load MB'],
    (subject) => [
      ...[startMs(subject, 'handshakeMs'), startMs(subject, 'readyMs')].map((ms) => orEmpty(ms, 0)),
      ...[subject.idle.pss, subject.loaded.pss, subject.loaded.rss].map((bytes) => orEmpty(toMb(bytes), 1)),
    ],
  );
}

/** For scripts: the figures of every language that was measured. */
export function figuresOf(subjects: readonly Subject[]): Record<string, Figure> {
  const all: Record<string, Figure> = {};
  for (const plain of subjects.filter(({ kind }) => kind === 'connector')) {
    const prefix = plain.language === 'Go' ? 'go' : 'ts';
    for (const [name, { value, ...rest }] of Object.entries(figuresOfOne(subjects, plain)))
      all[`${prefix}_${name}`] = { value: Number(value.toPrecision(3)), ...rest };
  }
  return all;
}

function figuresOfOne(subjects: readonly Subject[], plain: Subject): Record<string, Figure> {
  const goal = goals[plain.language];
  const bare = raw(subjects, plain);
  const sandboxed = subjects.find(({ language, kind }) => language === plain.language && kind === 'sandboxed') as Subject;
  const figures: Record<string, Figure> = {};
  for (const load of ['send', 'receive'] as const) {
    figures[`${load}_per_second`] = { value: median(plain.slices[load].map(perSecond)), unit: 'messages/s' };
    figures[`${load}_to_raw`] = { value: against(plain, bare, load, perSecond), unit: 'ratio', goal: goal.toRaw };
    figures[`${load}_messages_a_frame`] = { value: median(plain.slices[load].map(perFrame)), unit: 'messages' };
    figures[`${load}_cpu_us`] = { value: median(plain.slices[load].map(cpuUs)), unit: 'us' };
    figures[`${load}_cpu_to_raw`] = { value: against(plain, bare, load, cpuUs), unit: 'ratio', goal: goal.cpuToRaw };
  }
  return {
    ...figures,
    p50_ms_at_300: { value: plain.latency.percentileMs(50), unit: 'ms', goal: latencyGoals.p50Ms },
    p99_ms_at_300: { value: plain.latency.percentileMs(99), unit: 'ms', goal: latencyGoals.p99Ms },
    cpu_us_at_300: { value: median(plain.slices.steady.map(cpuUs)), unit: 'us' },
    cpu_to_raw_at_300: { value: against(plain, bare, 'steady', cpuUs), unit: 'ratio', goal: goal.steadyCpuToRaw },
    handshake_ms: { value: startMs(plain, 'handshakeMs'), unit: 'ms' },
    ready_ms: { value: startMs(plain, 'readyMs'), unit: 'ms', goal: goal.readyMs },
    ready_to_raw: { value: startMs(plain, 'readyMs') / startMs(bare, 'readyMs'), unit: 'ratio' },
    pss_idle_mb: { value: toMb(plain.idle.pss), unit: 'MB', goal: goal.pssIdleMb },
    pss_loaded_mb: { value: toMb(plain.loaded.pss), unit: 'MB' },
    sandbox_adds_ready_ms: { value: addedMs(sandboxed, plain), unit: 'ms', goal: sandboxGoals.readyMs },
    sandbox_send_cpu: { value: against(sandboxed, plain, 'send', cpuUs), unit: 'in the sandbox / without', goal: sandboxGoals.cpu },
    sandbox_cpu_at_300: { value: against(sandboxed, plain, 'steady', cpuUs), unit: 'in the sandbox / without' },
  };
}

const names: Record<Subject['kind'], string> = { raw: 'raw socket', connector: 'connector', sandboxed: 'connector in the sandbox' };

function nameOf({ language, kind }: Subject): string {
  return `${language === 'Go' ? 'Node ↔ Go' : 'Node ↔ Node'}, ${names[kind]}`;
}

/** The raw socket between the same languages. */
function raw(subjects: readonly Subject[], { language }: Subject): Subject {
  return subjects.find((subject) => subject.language === language && subject.kind === 'raw') as Subject;
}

/** Median of the ratios within each round: both sides of one round met the same machine. */
function against(subject: Subject, other: Subject, load: Load, cost: Cost): number {
  return median(subject.slices[load].map((slice, round) => cost(slice) / cost(other.slices[load][round] as Slice)));
}

function cpuCells(subjects: readonly Subject[], subject: Subject, load: Load, digits: number): string[] {
  const cells = [cpuUs, hostUs, peerUs].map((cost) => median(subject.slices[load].map(cost)).toFixed(digits));
  return [...cells, against(subject, raw(subjects, subject), load, cpuUs).toFixed(2)];
}

function startMs({ starts }: Subject, what: keyof Start): number {
  return median(starts.map((start) => start[what]));
}

/** Median of the differences between a start and the one just before it, when the machine was as busy. */
function addedMs({ starts }: Subject, before: Subject): number {
  return median(starts.map(({ readyMs }, i) => readyMs - (before.starts[i]?.readyMs ?? Number.NaN)));
}

function orEmpty(value: number, digits: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(digits);
}

const toMb = (bytes: number): number => bytes / 1e6;
