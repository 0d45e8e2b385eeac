/**
 * The whole path against one bare process that stores nothing (node:http → JSON → undici), in the same run and on the same load:
 * `npm run bench:path [-- --rounds 3 --seconds 5]`. Every 202 of the platform is fsynced. The control plane is stopped while the path is
 * measured, since messages do not need it; the tables say what the processes of the path used, each and together.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { portsFrom } from '../../../tools/up/config.ts';
import { findFreeBase } from '../../../tools/up/free-ports.ts';
import { startStack } from '../../../tools/up/stack.ts';
import { median, printFigures, printTable } from '../report.ts';
import { oneStep, publishPipeline } from './platform.ts';
import { cpuUs, processTree, type Sink, sendLoad, sleeps, startBare, startSink } from './processes.ts';

interface Measured {
  delivered: number;
  acceptMs: [p50: number, p99: number];
  endToEndMs: [p50: number, p99: number];
  cpuUsPerMessage: number;
  /** By process, in the order of the subject's list: µs of processor time and times that it was woken up, a message. */
  shares: { cpuUs: number; wakeUps: number }[];
  refused: number;
}

const CONNECTIONS = 256;
const WARM_UP_SECONDS = 2;
const LOW_RATE = 300;

async function measure(sink: Sink, url: string, pids: number[], rate: number, seconds: number): Promise<Measured> {
  const readUse = () => pids.map((pid) => ({ cpuUs: cpuUs(pid), sleeps: sleeps(pid) }));
  let before = readUse();
  const load = await sendLoad({ url, connections: CONNECTIONS, seconds, warmUpSeconds: WARM_UP_SECONDS, rate }, () => {
    sink.reset();
    before = readUse();
  });
  const after = readUse();
  const stats = await sink.stats();
  await untilQuiet(sink);
  return {
    delivered: stats.total / seconds,
    acceptMs: [load.p50Ms, load.p99Ms],
    endToEndMs: [stats.p50Ms, stats.p99Ms],
    cpuUsPerMessage: after.reduce((sum, use, i) => sum + use.cpuUs - (before[i]?.cpuUs ?? 0), 0) / stats.total,
    shares: after.map((use, i) => ({
      cpuUs: (use.cpuUs - (before[i]?.cpuUs ?? 0)) / stats.total,
      wakeUps: (use.sleeps - (before[i]?.sleeps ?? 0)) / stats.total,
    })),
    refused: load.refused,
  };
}

/** What is still on its way must not fall into the next measurement. */
async function untilQuiet(sink: Sink): Promise<void> {
  for (let before = -1; ; ) {
    const { total } = await sink.stats();
    if (total === before) return;
    before = total;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function medianOf(rounds: Measured[]): Measured {
  const pair = (pick: (round: Measured) => [number, number]): [number, number] => [
    median(rounds.map((round) => pick(round)[0])),
    median(rounds.map((round) => pick(round)[1])),
  ];
  return {
    delivered: median(rounds.map((round) => round.delivered)),
    acceptMs: pair((round) => round.acceptMs),
    endToEndMs: pair((round) => round.endToEndMs),
    cpuUsPerMessage: median(rounds.map((round) => round.cpuUsPerMessage)),
    shares: (rounds[0]?.shares ?? []).map((_, i) => ({
      cpuUs: median(rounds.map((round) => round.shares[i]?.cpuUs ?? Number.NaN)),
      wakeUps: median(rounds.map((round) => round.shares[i]?.wakeUps ?? Number.NaN)),
    })),
    refused: rounds.reduce((sum, round) => sum + round.refused, 0),
  };
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const dir = mkdtempSync(path.join(os.tmpdir(), 'vrsky-bench-'));

const sink = await startSink();
const bare = await startBare(sink.url);
try {
  await using stack = await startStack({
    dir,
    ports: portsFrom(await findFreeBase()),
    fresh: true,
    egressAllow: [`127.0.0.1:${sink.port}`],
    step: async (name, work) => {
      process.stderr.write(`${name}: ${await work()}\n`);
    },
  });
  const passThrough = await publishPipeline(stack, { name: 'Bench, no step', target: sink.url });
  const converted = await publishPipeline(stack, { name: 'Bench, one step', target: sink.url, step: oneStep });
  for (const name of ['console', 'worker', 'receiver', 'postgres'] as const) await stack.parts[name].stop();

  const nodePid = stack.parts.node.pid() ?? 0;
  const natsPid = stack.parts.nats.pid() ?? 0;
  // Whoever waits and does nothing, such as the sandbox's helpers, is left out of the table and not of the sum.
  const platform = [natsPid, ...processTree(nodePid)];
  const subjects = [
    { name: 'bare process, stores nothing', url: bare.url, pids: [bare.pid] },
    { name: 'VRSky, no step', url: passThrough, pids: platform },
    { name: 'VRSky, one TypeScript step', url: converted, pids: platform },
  ];
  const results = new Map<string, Measured[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const rate of [0, LOW_RATE]) {
      for (const subject of subjects) {
        const key = `${subject.name}|${rate}`;
        process.stderr.write(`round ${round}/${rounds}: ${subject.name}, ${rate === 0 ? 'saturation' : `${rate}/s`}\n`);
        results.set(key, [...(results.get(key) ?? []), await measure(sink, subject.url, subject.pids, rate, seconds)]);
      }
    }
  }

  const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  for (const rate of [0, LOW_RATE]) {
    process.stdout.write(
      `\n${rate === 0 ? `Saturation, ${CONNECTIONS} connections` : `${rate} messages a second`}, 1 KB, median of ${rounds} rounds of ${seconds} s\n`,
    );
    printTable(
      ['', 'delivered/s', 'to bare', '202 p50/p99 ms', 'end to end p50/p99 ms', 'CPU µs a message', 'refused'],
      subjects.map(({ name }) => {
        const rows = results.get(`${name}|${rate}`) ?? [];
        const row = medianOf(rows);
        return [
          name,
          row.delivered.toFixed(0),
          ratio(rows, results.get(`${subjects[0]?.name}|${rate}`) ?? []).toFixed(2),
          row.acceptMs.map(ms).join('/'),
          row.endToEndMs.map(ms).join('/'),
          row.cpuUsPerMessage.toFixed(0),
          String(row.refused),
        ];
      }),
    );
  }
  process.stdout.write(`\nWhere it goes at ${LOW_RATE} a second, no step\n`);
  const { shares } = medianOf(results.get(`VRSky, no step|${LOW_RATE}`) ?? []);
  printTable(
    ['', 'CPU µs a message', 'wake-ups a message'],
    platform.flatMap((pid, i) => {
      const share = shares[i];
      if (share === undefined || share.cpuUs < 1) return [];
      return [[pid === natsPid ? 'nats-server' : pid === nodePid ? 'node' : 'HTTP connector', share.cpuUs.toFixed(0), share.wakeUps.toFixed(1)]];
    }),
  );
  const of = (subject: number, rate: number): Measured[] => results.get(`${subjects[subject]?.name}|${rate}`) ?? [];
  printFigures('path', {
    ratio_without_step: { value: ratio(of(1, 0), of(0, 0)), unit: 'ratio', goal: '>= 0.7' },
    ratio_with_step: { value: ratio(of(2, 0), of(0, 0)), unit: 'ratio', goal: '>= 0.4' },
    delivered_without_step: { value: medianOf(of(1, 0)).delivered, unit: 'messages/s' },
    delivered_with_step: { value: medianOf(of(2, 0)).delivered, unit: 'messages/s' },
    cpu_us_without_step: { value: medianOf(of(1, 0)).cpuUsPerMessage, unit: 'us' },
    cpu_us_with_step: { value: medianOf(of(2, 0)).cpuUsPerMessage, unit: 'us' },
    cpu_to_bare_at_300: { value: cpuRatio(of(1, LOW_RATE), of(0, LOW_RATE)), unit: 'ratio', goal: '<= 2.6' },
    end_to_end_p50_ms_at_300: { value: medianOf(of(1, LOW_RATE)).endToEndMs[0], unit: 'ms' },
    end_to_end_p99_ms_at_300: { value: medianOf(of(1, LOW_RATE)).endToEndMs[1], unit: 'ms' },
  });
} finally {
  bare.close();
  sink.close();
  rmSync(dir, { recursive: true, force: true });
}

/** Of processor time a message. */
function cpuRatio(rows: Measured[], against: Measured[]): number {
  return median(rows.map((row, i) => row.cpuUsPerMessage / (against[i]?.cpuUsPerMessage ?? Number.NaN)));
}

/** Median of the ratios within each round: both sides of one round met the same machine. */
function ratio(rows: Measured[], against: Measured[]): number {
  return median(rows.map((row, i) => row.delivered / (against[i]?.delivered ?? Number.NaN)));
}
