import { describe, expect, test } from 'vitest';
import { fillMinutes, sumOf } from './minutes.ts';

const now = Date.parse('2026-05-04T10:30:20Z');
const point = (at: string, delivered: number) => ({ at, delivered, filtered: 0, deadLettered: 0, retrying: 0 });

describe('fillMinutes', () => {
  test('gives one point a minute up to the running one, zero where nothing came', () => {
    const filled = fillMinutes([point('2026-05-04T10:29:00.000Z', 7)], now, 3);
    expect(filled.map((item) => [item.at, item.delivered])).toEqual([
      ['2026-05-04T10:28:00.000Z', 0],
      ['2026-05-04T10:29:00.000Z', 7],
      ['2026-05-04T10:30:00.000Z', 0],
    ]);
  });

  test('leaves out what is older than the axis', () => {
    expect(sumOf(fillMinutes([point('2026-05-04T09:00:00.000Z', 7)], now, 60))).toBe(0);
  });
});
