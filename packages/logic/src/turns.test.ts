import { describe, expect, it } from 'vitest';
import { createTurns, type Turns } from './turns.ts';

interface Worker {
  name: string;
  list: string[];
  jobs: number;
  isHeavy: boolean;
  isReserved: boolean;
  knows(tenantId: string): boolean;
}

function worker(name: string, knows: string[] = [], isReserved = false): Worker {
  return { name, list: [], jobs: 0, isHeavy: false, isReserved, knows: (tenantId) => knows.includes(tenantId) };
}

/** Gives out all that can be given; each entry is the worker and the job. */
function giveOut(turns: Turns<string>, workers: Worker[]): string[] {
  const given: string[] = [];
  for (let turn = turns.next(workers); turn; turn = turns.next(workers)) {
    turn.worker.jobs++;
    turn.worker.isHeavy ||= turns.isHeavy(turn.tenantId);
    given.push(`${turn.worker.name} ${turn.job}`);
  }
  return given;
}

function done(of: Worker): void {
  of.jobs = 0;
  of.isHeavy = false;
}

describe('turns', () => {
  it('go round the tenants, and keep the order of each', () => {
    const turns = createTurns<string>();
    for (const job of ['a1', 'a2', 'a3', 'b1', 'c1']) turns.add(job[0] as string, job);
    turns.putBack('a', 'a0');
    const one = worker('w');
    const order: string[] = [];
    while (order.length < 6) {
      order.push(...giveOut(turns, [one]));
      done(one);
    }
    expect(order).toEqual(['w a0', 'w b1', 'w c1', 'w a1', 'w a2', 'w a3']);
  });

  it('prefer the least busy worker, and one that knows the tenant', () => {
    const turns = createTurns<string>();
    const workers = [worker('v'), worker('w', ['a'])];
    for (let i = 0; i < 5; i++) turns.add('a', `a${i}`);
    expect(giveOut(turns, workers)).toEqual(['w a0', 'v a1', 'w a2', 'v a3']);
  });

  it('never give the reserved worker to a heavy tenant, and nothing waits behind its jobs', () => {
    const turns = createTurns<string>();
    turns.note('attacker', 1, 4_000, 22_000_000);
    const workers = [worker('w', ['attacker'], true), worker('v')];
    for (let i = 0; i < 4; i++) turns.add('attacker', `x${i}`);
    expect(giveOut(turns, workers)).toEqual(['v x0']);
    turns.add('good', 'g0');
    turns.add('good', 'g1');
    turns.add('good', 'g2');
    expect(giveOut(turns, workers)).toEqual(['w g0', 'w g1']);
    done(workers[1] as Worker);
    expect(giveOut(turns, workers)).toEqual(['v x1']);
    done(workers[0] as Worker);
    expect(giveOut(turns, workers)).toEqual(['w g2']);
  });

  it('give a heavy tenant the only worker, one job at a time', () => {
    const turns = createTurns<string>();
    turns.note('attacker', 1, 4_000, 22_000_000);
    turns.add('attacker', 'x0');
    turns.add('attacker', 'x1');
    turns.add('good', 'g0');
    const only = worker('w');
    expect(giveOut(turns, [only])).toEqual(['w x0']);
    done(only);
    expect(giveOut(turns, [only])).toEqual(['w g0']);
    done(only);
    expect(giveOut(turns, [only])).toEqual(['w x1']);
  });

  it('are as long in time for a heavy tenant as for others, and it is heavy until it has been light for a while', () => {
    const turns = createTurns<string>();
    expect([turns.messagesOf('a'), turns.isHeavy('a')]).toEqual([64, false]);
    turns.note('a', 64, 64 * 5_000, 64 * 22_000_000);
    expect([turns.messagesOf('a'), turns.isHeavy('a')]).toEqual([2, true]);
    turns.note('a', 64, 64 * 60, 64 * 300_000); // cheap ones between do not hide it
    expect(turns.isHeavy('a')).toBe(true);
    for (let i = 0; i < 20; i++) turns.note('a', 64, 64 * 60, 64 * 300_000);
    expect([turns.messagesOf('a'), turns.isHeavy('a')]).toEqual([64, false]);
    turns.note('a', 1, 60_000, 400_000_000);
    expect(turns.messagesOf('a')).toBe(1);
  });
  it('take a tenant for heavy at once by what it counted, and by what it did not count only when that goes on', () => {
    const turns = createTurns<string>();
    turns.note('a', 1, 300, 300_000);
    turns.note('a', 1, 30_000, 300_000); // a collection of garbage
    expect(turns.isHeavy('a')).toBe(false);
    turns.note('a', 1, 300, 300_000);
    expect(turns.isHeavy('a')).toBe(false);
    for (let i = 0; i < 3; i++) turns.note('a', 1, 30_000, 300_000); // memory that takes long to put back
    expect(turns.isHeavy('a')).toBe(true);
    turns.note('b', 1, 30_000, 200_000_000);
    expect(turns.isHeavy('b')).toBe(true);
  });
});
