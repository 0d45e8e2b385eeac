/** One message as a step sees it. */
export interface LogicMessage {
  id: string;
  customerId: string;
  traceId: string;
  headers: [string, string][];
  contentType: string;
  payload: Uint8Array;
  receivedAtMs: number;
}

/** A compiled step, as `compileStep` made it and the bundle carries it. */
export interface LogicStep {
  stepId: string;
  kind: 'convert' | 'filter';
  sha256: string;
  code: string;
}

/** What one step made of one message. */
export interface StepRun {
  stepId: string;
  result: 'ok' | 'filtered' | 'failed';
  /** WebAssembly instructions executed: the same for the same step and message, on every machine. */
  instructions: number;
  durationUs: number;
  code?: LogicCode;
  reason?: string;
  /** Where in the customer's source it failed, from 1. */
  line?: number;
  column?: number;
  logs: string[];
  /** Only when the run captures outputs. */
  output?: { payload: Uint8Array; contentType: string };
}

/** Why a message stopped at a step. */
export type LogicCode =
  /** A filter returned false or a reason. */
  | 'filtered'
  /** The step threw. */
  | 'threw'
  | 'instructions_exhausted'
  | 'memory_exhausted'
  | 'stack_exhausted'
  | 'output_too_large'
  /** The step returned what cannot be sent on, or a promise that nothing can settle. */
  | 'bad_output'
  /** The step's code does not load: a throw at its top level, or a default export that is no function. */
  | 'load_failed'
  /** A tripwire of the platform: the step was stopped with its worker. */
  | 'stopped';

export type LogicResult =
  | { outcome: 'ok'; payload: Uint8Array; contentType: string; steps: StepRun[] }
  | { outcome: 'filtered' | 'failed'; stepId: string; code: LogicCode; reason: string; steps: StepRun[] };

/** Bounds of one step on one message. */
export interface StepLimits {
  instructions: number;
  /** Added to `instructions` for every whole KiB of the step's input. */
  instructionsPerKib: number;
  memoryBytes: number;
  outputBytes: number;
  logLines: number;
  logBytes: number;
}
