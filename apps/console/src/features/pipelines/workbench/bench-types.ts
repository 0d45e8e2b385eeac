import type { Fixture, StepSpec } from '@vrsky/contracts/pipeline-spec';
import type { LogicCode, LogicStep, StepRun } from '@vrsky/logic/types';

// What the page and its run worker tell each other.

/** A step as it is run: compiled, without a hash. */
export type BenchStep = Pick<LogicStep, 'kind' | 'format' | 'code'>;

/** What the platform knows of the message that a sample stands for. */
export interface BenchMessage {
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
  receivedAtMs: number;
}

export type BenchInput = Fixture['input'];

export interface BenchOutput {
  /** null when it is not UTF-8. */
  text: string | null;
  base64: string;
  bytes: number;
  contentType: string;
}

export interface BenchRun {
  result: StepRun['result'];
  instructions: number;
  /** The most it may take for this input. */
  limit: number;
  split: StepRun['split'] | null;
  durationUs: number;
  code: LogicCode | null;
  reason: string | null;
  route: string | null;
  line: number | null;
  column: number | null;
  logs: string[];
  /** null unless the result is ok. */
  output: BenchOutput | null;
}

export interface FixtureRun {
  ok: boolean;
  /** Why not, in a sentence. */
  reason: string | null;
  run: BenchRun;
}

/** What a WebAssembly module wants and offers. */
export interface ModuleView {
  imports: { name: string; kind: string }[];
  exports: { name: string; kind: string }[];
}

export type StepKind = StepSpec['kind'];
