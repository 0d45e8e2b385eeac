import type { BenchMessage } from './bench-types.ts';

const receivedAtMs = Date.UTC(2026, 0, 1);
const traceId = '00000000000000000000000000000001';

/** A message that nobody sent: the same at each run, and as long in all its parts as a real one, so that it costs the same. */
export function typedMessage(customerId: string, pipelineId: string): BenchMessage {
  return { id: 'msg_00000000000000000000000000', customerId, traceId, pipelineId, receivedAtMs };
}

/** What the step of a fixture sees. */
export const fixtureMessage: BenchMessage = { id: 'fixture', customerId: 'fixture', traceId, pipelineId: 'fixture', receivedAtMs };
