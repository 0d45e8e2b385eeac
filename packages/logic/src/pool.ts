import type { Part } from '@vrsky/kernel/lifecycle';
import type { LogicMessage, LogicResult, LogicStep, StepLimits } from './types.ts';

export type { LogicMessage, LogicResult, LogicStep, StepLimits, StepRun } from './types.ts';

export interface LogicRun {
  tenantId: string;
  /** In order; each gets what the one before it made. Without steps every message comes back as it is. */
  steps: LogicStep[];
  messages: LogicMessage[];
  /** Keep the output of every step in its StepRun. */
  capture?: boolean;
  limits?: Partial<StepLimits>;
}

export interface LogicPoolStats {
  workers: number;
  /** Messages waiting or running. */
  pending: number;
  /** Workers replaced since the start, because a step did not stop or the thread died. */
  replaced: number;
  messages: number;
}

/** Runs customers' steps in worker threads. */
export interface LogicPool extends Part {
  /** One result for each message, in order. Rejects only when the pool is closed or its queue is full. */
  run(request: LogicRun): Promise<LogicResult[]>;
  stats(): LogicPoolStats;
}

export declare function createLogicPool(options: { workers: number; log: (line: string) => void }): LogicPool;
