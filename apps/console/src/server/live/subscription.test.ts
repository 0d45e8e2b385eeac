import { expect, it } from 'vitest';
import { createSubscription } from './subscription.ts';

it('changes of the same kind and pipeline wait once, however slow the reader', async () => {
  const line = createSubscription(() => undefined);
  for (let i = 0; i < 1_000; i++) line.push({ kind: 'messages', pipelineId: `pip_${i % 2}` });
  line.push({ kind: 'nodes' });
  expect(await line.next(1_000)).toEqual([{ kind: 'messages', pipelineId: 'pip_0' }, { kind: 'messages', pipelineId: 'pip_1' }, { kind: 'nodes' }]);
  expect(await line.next(1)).toEqual([]);
});

it('a waiting reader is woken by a change, and by the end, which is told once', async () => {
  let ends = 0;
  const line = createSubscription(() => ends++);
  const change = line.next(60_000);
  line.push({ kind: 'rollout' });
  expect(await change).toEqual([{ kind: 'rollout' }]);
  const end = line.next(60_000);
  line.end();
  line.end();
  expect(await end).toBeNull();
  expect(ends).toBe(1);
});
