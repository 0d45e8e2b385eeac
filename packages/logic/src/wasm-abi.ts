import type { AllowedImport, ValueTypeName } from '@vrsky/metering/limits';

/** The logic ABI, version 1: what a module of a step exports, and what it may import from `vrsky`. `docs/logic-abi.md` says it to customers. */
export const abi = {
  run: 'vrsky_run_v1',
  initialize: '_initialize',
  memory: 'memory',
  importModule: 'vrsky',
} as const;

/** What `vrsky_run_v1` returns. */
export const runCode = { pass: 0, converted: 1, filtered: 2, failed: 3 } as const;

/** Which of the message's fields `field_size` and `field_read` mean. */
export const wasmField = { id: 0, customerId: 1, traceId: 2, contentType: 3, pipelineId: 4, headers: 5 } as const;

const signatures: Record<string, [params: ValueTypeName[], results: ValueTypeName[]]> = {
  input_size: [[], ['i32']],
  input_read: [['i32'], []],
  field_size: [['i32'], ['i32']],
  field_read: [['i32', 'i32'], []],
  now: [[], ['f64']],
  random: [[], ['f64']],
  log: [['i32', 'i32'], []],
  output: [['i32', 'i32'], []],
  content_type: [['i32', 'i32'], []],
  reason: [['i32', 'i32'], []],
  route: [['i32', 'i32'], []],
  abort: [['i32', 'i32'], []],
};

export const allowedImports: readonly AllowedImport[] = Object.entries(signatures).map(([name, [params, results]]) => ({
  module: abi.importModule,
  name,
  params,
  results,
}));
