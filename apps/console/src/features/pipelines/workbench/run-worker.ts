import type { Fixture } from '@vrsky/contracts/pipeline-spec';
import { createExecutor, type Executor, stepKey } from '@vrsky/logic/executor';
import { runFixtures } from '@vrsky/logic/fixtures';
import { defaultStepLimits, instructionLimit } from '@vrsky/logic/step-limits';
import type { LogicStep, StepRun } from '@vrsky/logic/types';
import { wasm } from '@vrsky/metering/webassembly';
import { fromBase64, toBase64 } from './base64.ts';
import type { BenchInput, BenchMessage, BenchOutput, BenchRun, BenchStep, FixtureRun, ModuleView } from './bench-types.ts';
import { answerCalls } from './calls.ts';
import { load } from './load.ts';

// Steps run here, on the metered engine and within the limits of a node: the same code gives the same count.

const tenantId = 'page';
let executor: Executor | undefined;
/** Loading a step takes longer than running it: the one in use is kept. */
let current: LogicStep | undefined;
let loads = 0;

const calls = {
  /** Once, before all others. */
  async start(engineUrl: string): Promise<void> {
    const engine = await wasm.compile(new Uint8Array(await (await load(engineUrl)).arrayBuffer()));
    executor = createExecutor({ engine, isUtf8: (bytes) => toText(bytes) !== null });
  },

  run(step: BenchStep, input: BenchInput, message: BenchMessage): BenchRun {
    const payload = toBytes(input.payload, input.encoding);
    const [result] = ready().run({
      tenantId,
      steps: [loaded(step)],
      messages: [{ ...message, contentType: input.contentType, headersJson: JSON.stringify(Object.entries(input.headers)), payload }],
      capture: true,
      limits: defaultStepLimits,
    });
    const run = result?.steps[0];
    if (!run) throw new Error('bug: a step ran and left no trace');
    return toBenchRun(run, payload.length);
  },

  fixtures(step: BenchStep, fixtures: Fixture[]): FixtureRun[] {
    return runFixtures(ready(), loaded(step), fixtures, { tenantId }).map(({ ok, reason, run }, i) => {
      const { payload, encoding } = (fixtures[i] as Fixture).input;
      return { ok, reason: reason ?? null, run: toBenchRun(run, toBytes(payload, encoding).length) };
    });
  },

  inspect(base64: string): ModuleView {
    const module = new WebAssembly.Module(fromBase64(base64));
    return {
      imports: WebAssembly.Module.imports(module).map((item) => ({ name: `${item.module}.${item.name}`, kind: item.kind })),
      exports: WebAssembly.Module.exports(module).map(({ name, kind }) => ({ name, kind })),
    };
  },
};

export type RunCalls = typeof calls;

answerCalls(calls);

function ready(): Executor {
  if (!executor) throw new Error('bug: a call before start');
  return executor;
}

function loaded(step: BenchStep): LogicStep {
  if (current && current.code === step.code && current.kind === step.kind && current.format === step.format) return current;
  if (current) ready().forget(stepKey(tenantId, current, defaultStepLimits.memoryBytes));
  loads++;
  current = { ...step, stepId: 'step', sha256: String(loads) };
  return current;
}

function toBenchRun(run: StepRun, inputBytes: number): BenchRun {
  return {
    result: run.result,
    instructions: run.instructions,
    limit: instructionLimit(defaultStepLimits, inputBytes),
    split: run.split ?? null,
    durationUs: run.durationUs,
    code: run.code ?? null,
    reason: run.reason ?? null,
    route: run.route ?? null,
    line: run.line ?? null,
    column: run.column ?? null,
    logs: run.logs,
    output: run.output ? toOutput(run.output) : null,
  };
}

function toOutput({ payload, contentType }: { payload: Uint8Array; contentType: string }): BenchOutput {
  return { text: toText(payload), base64: toBase64(payload), bytes: payload.length, contentType };
}

function toBytes(payload: string, encoding: BenchInput['encoding']): Uint8Array<ArrayBuffer> {
  return encoding === 'base64' ? fromBase64(payload) : new TextEncoder().encode(payload);
}

function toText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
