import type { ModuleFormat } from '@vrsky/contracts/bundle';
import type { Split } from './sandbox.ts';

/** One message as a step sees it. */
export interface LogicMessage {
  id: string;
  customerId: string;
  traceId: string;
  pipelineId: string;
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
  format: ModuleFormat;
  code: string;
}

/** What one step made of one message. */
export interface StepRun {
  stepId: string;
  result: 'ok' | 'filtered' | 'failed';
  /** WebAssembly instructions executed: the same for the same step and message, on every machine. */
  instructions: number;
  /** Instructions by what they were for, where the language tells them apart. */
  split?: Split;
  durationUs: number;
  code?: LogicCode;
  reason?: string;
  /** The way that a filtered message goes instead, when the step named one. */
  route?: string;
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
  /** The step's code does not load: a throw at its top level, a default export that is no function, or a module that is not of the ABI. */
  | 'load_failed'
  /** The module did what WebAssembly does not allow, such as reading outside of its memory. */
  | 'trapped'
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
  /** Functions of a WebAssembly module inside each other, each weighted by its frame. */
  depth: number;
  outputBytes: number;
  logLines: number;
  logBytes: number;
  /** A tripwire of the platform: instructions end a step long before. */
  wallMs: number;
}
