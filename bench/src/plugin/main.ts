/**
 * The hop between a node and a connector, beside a raw unix socket that carries the same bytes between the same languages in the same
 * rounds: `npm run bench:plugin [-- --rounds 4 --seconds 0.5]`. The node's half is the node's own code with its books, over AutoMTLS; the
 * connector is once without and once in the sandbox that this machine has.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import { detectSandbox } from '@vrsky/plugin/sandbox/detect';
import { layersInForce, sandboxLayers } from '@vrsky/plugin/sandbox/layers';
import { findBubblewrap } from '@vrsky/testkit/bubblewrap';
import { createConfine } from '../../../apps/node/src/plugins/confinement.ts';
import { openReleaseStore } from '../../../apps/node/src/plugins/release-store.ts';
import { printFigures } from '../report.ts';
import { type Line, receiveSlice, sendSlice, steadySlice } from './line.ts';
import { buildPrograms } from './programs.ts';
import { figuresOf, printResults } from './results.ts';
import { createSubjects, type Subject } from './subject.ts';
import { memoryOf } from './usage.ts';

const STARTS = 10;
const STEADY_RATE = 300;
const WARM_UP_MS = 200;
/** Until the optimising compiler is done with most of it. */
const FIRST_WARM_UP_MS = 500;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '4' }, seconds: { type: 'string', default: '0.5' } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const dir = mkdtempSync(path.join(os.tmpdir(), 'vrsky-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
await using store = await openReleaseStore(path.join(dir, 'releases'));
const { programs, withoutGo } = await buildPrograms(dir);
if (withoutGo !== null) process.stdout.write(`The rows of Go are left out: ${withoutGo}.\n`);
const sandbox = await sandboxHere();
const layers = layersInForce(sandbox.report, sandbox.policy);
process.stdout.write(
  `Layers of the sandbox: ${layers.join(', ')}; not on this machine: ${sandboxLayers.filter((layer) => !layers.includes(layer)).join(', ') || 'none'}\n`,
);
const subjects = (await Promise.all(programs.map((each) => createSubjects(each, { store, sandbox, dir })))).flat();

progress(`${STARTS} starts of each`);
for (let i = 0; i < STARTS; i++) for (const subject of subjects) subject.starts.push(await subject.start());
await carry(subjects);
printResults(subjects, { steadyRate: STEADY_RATE, heading: `median of ${rounds} rounds of ${seconds} s` });
printFigures('plugin', figuresOf(subjects));

/** What a connector gets that asks for nothing: all layers of this machine, and no network where it can be taken away. */
async function sandboxHere(): Promise<Sandbox> {
  const bwrap = findBubblewrap();
  const report = await detectSandbox({ path: process.env.PATH ?? '', ...(bwrap === null ? {} : { bwrap }) });
  return createConfine(report, [])({ manifest: { network: report.layers.namespaces.available ? 'none' : 'direct' }, minimum: [] });
}

/** All are up the whole time, and each has its turn in each round. */
async function carry(all: readonly Subject[]): Promise<void> {
  await using open = new AsyncDisposableStack();
  const lines = new Map<Subject, Line>();
  for (const subject of all)
    lines.set(
      subject,
      open.adopt(await subject.open(), (line) => line.close()),
    );
  for (const [subject, { pid }] of lines) subject.idle = memoryOf(pid);
  progress('warm-up');
  for (const line of lines.values()) {
    await sendSlice(line, FIRST_WARM_UP_MS, WARM_UP_MS);
    await receiveSlice(line, FIRST_WARM_UP_MS, WARM_UP_MS);
  }
  for (let round = 1; round <= rounds; round++) {
    progress(`round ${round}/${rounds}`);
    for (const [{ slices }, line] of lines) slices.send.push(await sendSlice(line, WARM_UP_MS, seconds * 1_000));
    for (const [{ slices }, line] of lines) slices.receive.push(await receiveSlice(line, WARM_UP_MS, seconds * 1_000));
    for (const [{ slices, latency }, line] of lines) slices.steady.push(await steadySlice(line, STEADY_RATE, seconds * 2_000, latency));
  }
  for (const [subject, { pid }] of lines) subject.loaded = memoryOf(pid);
}

function progress(what: string): void {
  process.stderr.write(`${what}\n`);
}
