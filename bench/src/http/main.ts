/**
 * What a message costs in the HTTP connector, in processor time of its process, beside a bare node:http server and a bare undici client
 * in the same rounds: `npm run bench:connector [-- --rounds 3 --seconds 2]`. The connector runs as a node runs it, so the hop to the node is
 * part of its cost. And what 500 slow senders do to the time that others wait.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { sleep } from '@vrsky/kernel/lifecycle';
import { freePort } from '@vrsky/testkit/ports';
import { openReleaseStore } from '../../../apps/node/src/plugins/release-store.ts';
import { cpuUs, sendLoad, startSink } from '../path/processes.ts';
import { median, printFigures, printTable } from '../report.ts';
import { type InLine, type OutLine, openBareIn, openBareOut, openConnectorIn, openConnectorOut, openSlowSenders } from './lines.ts';

const STEADY_RATE = 300;
const WARM_UP_SECONDS = 1;
const IN_FLIGHT = 256;
const CONNECTIONS = 64;
const SLOW_SENDERS = 500;
const program = path.resolve(import.meta.dirname, '../../../connectors/http/dist/http-connector');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '2' } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

type Load = 'saturated' | 'steady';
interface Subject<Line> {
  name: string;
  line: Line;
  /** µs of processor time a message, by round. */
  costs: Record<Load, number[]>;
  perSecond: number[];
}
const subject = <Line>(name: string, line: Line): Subject<Line> => ({ name, line, costs: { saturated: [], steady: [] }, perSecond: [] });

const dir = mkdtempSync(path.join(os.tmpdir(), 'vrsky-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
await using open = new AsyncDisposableStack();
const store = open.use(await openReleaseStore(path.join(dir, 'releases')));
const release = await store.admit(program);
const sink = await startSink();
open.defer(() => sink.close());
const own = <Line extends InLine | OutLine>(line: Line): Line => open.adopt(line, (item) => item.close());
const out = [subject('HTTP out', own(await openConnectorOut(release, sink.url))), subject('bare undici', own(await openBareOut(sink.url)))];
const into = [subject('HTTP in', own(await openConnectorIn(release, await freePort()))), subject('bare node:http', own(await openBareIn()))];

/** p99 in ms of requests at a steady rate, alone and beside slow senders, by round. */
const neighbourMs = { alone: [] as number[], beside: [] as number[] };

for (let round = 1; round <= rounds; round++) {
  process.stderr.write(`round ${round}/${rounds}\n`);
  for (const each of out) await measureOut(each);
  for (const each of into) await measureIn(each);
  await measureNeighbour(into[0] as Subject<InLine>);
}

const all = [...into, ...out];
printTable(
  [`median of ${rounds} rounds`, 'messages a second', 'µs a message', `µs at ${STEADY_RATE}/s`],
  all.map(({ name, costs, perSecond }) => [name, median(perSecond).toFixed(0), median(costs.saturated).toFixed(1), median(costs.steady).toFixed(1)]),
);
/** Median of the ratios within each round: both sides of one round met the same machine. */
const ratioOf = (ours: number[], against: number[]): number => Math.round(median(ours.map((value, i) => value / (against[i] ?? Number.NaN))) * 100) / 100;
const ratio = ([ours, bare]: Subject<unknown>[], load: Load): number => ratioOf(ours?.costs[load] ?? [], bare?.costs[load] ?? []);
process.stdout.write(
  `\np99 of ${STEADY_RATE} requests a second: ${median(neighbourMs.alone).toFixed(1)} ms alone, ${median(neighbourMs.beside).toFixed(1)} ms beside ${SLOW_SENDERS} slow senders\n`,
);
printFigures('connector', {
  in_over_bare: { value: ratio(into, 'saturated'), unit: 'ratio', goal: '<= 1.25' },
  out_over_bare: { value: ratio(out, 'saturated'), unit: 'ratio', goal: '<= 1.25' },
  in_over_bare_at_300: { value: ratio(into, 'steady'), unit: 'ratio' },
  out_over_bare_at_300: { value: ratio(out, 'steady'), unit: 'ratio' },
  neighbour_p99_beside_slow_senders: { value: ratioOf(neighbourMs.beside, neighbourMs.alone), unit: 'ratio', goal: '<= 2' },
});

async function measureOut({ line, costs, perSecond }: Subject<OutLine>): Promise<void> {
  const until = async (ms: number): Promise<number> => {
    const endMs = performance.now() + ms;
    let count = 0;
    for (; performance.now() < endMs; count += IN_FLIGHT) await line.send(IN_FLIGHT);
    return count;
  };
  await until(WARM_UP_SECONDS * 1_000);
  const [cpuBefore, startMs] = [cpuUs(line.pid), performance.now()];
  const count = await until(seconds * 1_000);
  perSecond.push((count / (performance.now() - startMs)) * 1_000);
  costs.saturated.push((cpuUs(line.pid) - cpuBefore) / count);

  const steadyBefore = cpuUs(line.pid);
  const steadyStartMs = performance.now();
  const sent: Promise<void>[] = [];
  for (const total = STEADY_RATE * seconds * 2; sent.length < total; await sleep(1))
    while (sent.length < total && ((performance.now() - steadyStartMs) * STEADY_RATE) / 1_000 > sent.length) sent.push(line.send(1));
  await Promise.all(sent);
  costs.steady.push((cpuUs(line.pid) - steadyBefore) / sent.length);
}

async function measureIn({ line, costs, perSecond }: Subject<InLine>): Promise<void> {
  for (const load of ['saturated', 'steady'] as const) {
    const rate = load === 'steady' ? STEADY_RATE : 0;
    const span = load === 'steady' ? seconds * 2 : seconds;
    let before = 0;
    const order = { url: line.url, connections: CONNECTIONS, seconds: span, warmUpSeconds: WARM_UP_SECONDS, rate };
    const result = await sendLoad(order, () => {
      before = cpuUs(line.pid);
    });
    if (result.accepted === 0 || result.refused > 0) throw new Error(`${result.refused} requests were refused, ${result.accepted} accepted`);
    costs[load].push((cpuUs(line.pid) - before) / result.accepted);
    if (load === 'saturated') perSecond.push(result.perSecond);
  }
}

async function measureNeighbour({ line }: Subject<InLine>): Promise<void> {
  const order = { url: line.url, connections: CONNECTIONS, seconds: seconds * 2, warmUpSeconds: WARM_UP_SECONDS, rate: STEADY_RATE };
  neighbourMs.alone.push((await sendLoad(order, () => undefined)).p99Ms);
  const slow = await openSlowSenders(line.url, SLOW_SENDERS);
  try {
    neighbourMs.beside.push((await sendLoad(order, () => undefined)).p99Ms);
  } finally {
    slow.close();
  }
}
