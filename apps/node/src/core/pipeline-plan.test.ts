import type { Bundle } from '@vrsky/contracts/bundle';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { expect, test } from 'vitest';
import { planPipelines } from './pipeline-plan.ts';

const http = { connector: 'http', settings: { url: 'http://127.0.0.1:1/' } };
function plan(reply?: object) {
  const spec = pipelineSpecSchema.parse({
    v: 1,
    source: { id: 'in', name: 'In', connector: 'http', settings: { path: `in_${'0'.repeat(24)}` } },
    steps: [],
    destinations: [
      { id: 'orders', name: 'Orders', ...http },
      { id: 'books', name: 'Books', ...http },
      { id: 'mail', name: 'Mail', ...http, after: 'orders' },
    ],
    ...(reply && { reply }),
  });
  const pipeline = { pipelineId: 'pip_1', name: 'P', revision: 1, hash: `sha256:${'0'.repeat(64)}`, modules: [], spec };
  const bundle: Bundle = { v: 1, tenantId: 'cus_a', pool: 'shared', epoch: 1, generation: 1, issuedAt: '', pipelines: [pipeline] };
  const [planned] = planPipelines(bundle);
  const answers = planned?.connections.map(({ connectionId, replyWithinMs = 0, answerBytesMax = 0, answerOptional = false }) => [
    connectionId,
    replyWithinMs,
    answerBytesMax > 0,
    answerOptional,
  ]);
  return { path: [...(planned?.reply?.path ?? [])], answers };
}

test('a destination’s answer goes on where a part takes it, and it is needed there', () => {
  expect(plan()).toEqual({
    path: [],
    answers: [
      ['pip_1/in', 0, false, false],
      ['pip_1/orders', 0, true, false],
      ['pip_1/books', 0, false, false],
      ['pip_1/mail', 0, false, false],
    ],
  });
});

test('an answer that only a sender waits for is optional, and whoever leads to it can end the wait', () => {
  expect(plan({ from: 'mail', withinMs: 2_000 })).toEqual({
    path: ['mail', 'orders'],
    answers: [
      ['pip_1/in', 2_000, false, false],
      ['pip_1/orders', 0, true, false],
      ['pip_1/books', 0, false, false],
      ['pip_1/mail', 0, true, true],
    ],
  });
  // What the next part takes is needed, also when a sender waits for it.
  expect(plan({ from: 'orders' }).answers?.[1]).toEqual(['pip_1/orders', 0, true, false]);
  expect(plan({ from: 'steps' }).path).toEqual([]);
});
