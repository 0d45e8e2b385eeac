import type { TrailDestination, TrailMessage, TrailRecord } from '@vrsky/contracts/trail';
import { describe, expect, it } from 'vitest';
import { deadLettersOf, type MessageState, mergeMessage } from './merge-trail.ts';

const record = (atMs: number, nodeId = 'nod_1'): TrailRecord => ({ v: 1, nodeId, tenantId: 'cus_a', pipelineId: 'pip_1', revision: 2, atMs, messages: [] });
const message = (...destinations: TrailDestination[]): TrailMessage => ({
  ...{ id: 'msg_1', seq: 7, index: 3, receivedAtMs: 1_000, storedAtMs: 1_005, bytes: 12, contentType: 'text/plain', traceId: 't' },
  steps: [{ id: 'reshape', instructions: 10, durationUs: 20, result: 'ok' }],
  destinations,
});
const attempt = (id: string, state: TrailDestination['state'], n: number, startedAtMs: number, extra: Partial<TrailDestination> = {}): TrailDestination => ({
  id,
  state,
  attempt: n,
  startedAtMs,
  durationUs: 50_000,
  ...extra,
});

type Pass = [TrailRecord, TrailMessage];
const merge = (passes: Pass[]): MessageState => passes.reduce<MessageState | null>((known, [r, m]) => mergeMessage(known, r, m), null) as MessageState;

const first: Pass = [record(2_000), message(attempt('a', 'retrying', 1, 1_900, { reason: 'It answered 500.', peerStatus: 500, nextAtMs: 9_000 }))];
const second: Pass = [record(9_100, 'nod_2'), message(attempt('a', 'delivered', 2, 9_000, { peerStatus: 200 }))];

describe('what is known of a message', () => {
  it('follows its attempts to the outcome', () => {
    expect(merge([first])).toMatchObject({ state: 'retrying', reason: 'It answered 500.', attempts: 1, doneAtMs: null, seq: 7, index: 3, revision: 2 });
    expect(merge([first, second])).toMatchObject({ state: 'delivered', reason: null, attempts: 2, doneAtMs: 9_050 });
    expect(merge([first, second]).destinations[0]?.attempts.map((item) => [item.attempt, item.nodeId, item.peerStatus])).toEqual([
      [1, 'nod_1', 500],
      [2, 'nod_2', 200],
    ]);
  });

  it('is the same when records come twice or in another order', () => {
    const expected = merge([first, second]);
    for (const passes of [
      [first, first, second],
      [second, first],
      [first, second, first, second],
    ])
      expect(merge(passes)).toEqual(expected);
  });

  it('takes a message that waits for its turn as one that nothing else is known of, whenever that was written', () => {
    const waits: Pass = [record(3_000), message({ id: 'a', state: 'retrying', attempt: 0, code: 'waits_in_order' })];
    const filtered: Pass = [record(2_000), message({ id: 'a', state: 'filtered', attempt: 0 })];
    expect(merge([waits])).toMatchObject({ state: 'retrying', attempts: 0, doneAtMs: null });
    for (const [passes, state] of [
      [[waits, filtered], 'filtered'],
      [[filtered, waits], 'filtered'],
      [[waits, first], 'retrying'],
      [[second, waits], 'delivered'],
    ] as [Pass[], string][])
      expect(merge(passes).state).toBe(state);
  });

  it('has one line for a wait that is told again and again, with what was told last', () => {
    const waits = (atMs: number, behind: number): Pass => [record(atMs), message(attempt('a', 'retrying', 1, 1_900, { behind, nextAtMs: 90_000 }))];
    for (const passes of [
      [waits(2_000, 0), waits(12_000, 4)],
      [waits(12_000, 4), waits(2_000, 0), waits(12_000, 4)],
    ])
      expect(merge(passes).destinations[0]?.attempts).toMatchObject([{ attempt: 1, behind: 4, atMs: 12_000 }]);
  });

  it('has expired, however often it was tried before', () => {
    expect(merge([first, [record(9_000, 'control-plane'), message({ id: 'a', state: 'expired', attempt: 0 })]]).state).toBe('expired');
  });

  it('keeps an attempt that two nodes made, and believes the later word', () => {
    const again: Pass = [record(40_000, 'nod_2'), message(attempt('a', 'delivered', 1, 39_900))];
    const merged = merge([first, again]);
    expect(merged.destinations[0]?.attempts).toHaveLength(2);
    expect(merged.state).toBe('delivered');
  });

  it('is as bad as its worst destination, and done when the last one is', () => {
    const both = merge([[record(2_000), message(attempt('a', 'delivered', 1, 1_900), attempt('b', 'retrying', 1, 1_900, { reason: 'slow' }))]]);
    expect(both).toMatchObject({ state: 'retrying', reason: 'slow', doneAtMs: null });
    const pass: Pass = [record(5_000), message(attempt('b', 'dead_lettered', 2, 4_000, { reason: 'gave up', code: 'http_500', dlqSeq: 4 }))];
    const end = mergeMessage(both, ...pass);
    expect(end).toMatchObject({ state: 'dead_lettered', reason: 'gave up', doneAtMs: 4_050, attempts: 2 });
    expect(end.destinations.map((item) => item.state)).toEqual(['delivered', 'dead_lettered']);
    expect(deadLettersOf(...pass)).toEqual([
      { destinationId: 'b', atMs: 5_000, attempts: 2, code: 'http_500', reason: 'gave up', peerStatus: null, dlqSeq: 4 },
    ]);
  });

  it('says why a message was filtered, without an attempt', () => {
    const filtered: Pass = [record(2_000), message({ id: 'a', state: 'filtered', attempt: 0, reason: 'status is open, not paid' })];
    expect(merge([filtered])).toMatchObject({ state: 'filtered', reason: 'status is open, not paid', attempts: 0, doneAtMs: 2_000 });
  });
});
