import type { MinutePoint } from '../features/pipelines/types.ts';

const MINUTE = 60_000;

/** One point for each of the last `count` minutes up to now, zero where nothing came, so that the axis is time and moves by itself. */
export function fillMinutes(points: readonly MinutePoint[], nowMs: number, count = 60): MinutePoint[] {
  const byMinute = new Map(points.map((point) => [Math.floor(Date.parse(point.at) / MINUTE), point]));
  const last = Math.floor(nowMs / MINUTE);
  return Array.from({ length: count }, (_, i) => {
    const minute = last - count + 1 + i;
    return byMinute.get(minute) ?? { at: new Date(minute * MINUTE).toISOString(), delivered: 0, filtered: 0, deadLettered: 0, retrying: 0 };
  });
}

export function totalOf(point: MinutePoint): number {
  return point.delivered + point.filtered + point.deadLettered + point.retrying;
}

export function sumOf(points: readonly MinutePoint[]): number {
  return points.reduce((sum, point) => sum + totalOf(point), 0);
}
