import type { TenantTx } from '@vrsky/db/client';
import type { MinutePoint } from '../types.ts';

const MINUTE_MS = 60_000;
export const SERIES_MINUTES = 60;

/** The last hour of every pipeline, one point a minute without gaps, the current minute last. `pipelineIds` without a row get zeros. */
export async function minuteSeries(tx: TenantTx, tenantId: string, pipelineIds: string[], nowMs: number): Promise<Map<string, MinutePoint[]>> {
  const firstMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - (SERIES_MINUTES - 1) * MINUTE_MS;
  const rows = await tx.messageMinute.findMany({ where: { tenantId, pipelineId: { in: pipelineIds }, minute: { gte: new Date(firstMs) } } });
  const series = new Map(pipelineIds.map((id) => [id, emptySeries(firstMs)]));
  for (const row of rows) {
    const point = series.get(row.pipelineId)?.[(row.minute.getTime() - firstMs) / MINUTE_MS];
    if (!point) continue; // a minute ahead of this machine's clock
    point.delivered = row.delivered;
    point.filtered = row.filtered;
    point.deadLettered = row.deadLettered + row.expired;
    point.retrying = row.retrying;
  }
  return series;
}

/** Adds series of the same minutes up. */
export function sumSeries(series: Iterable<MinutePoint[]>, nowMs: number): MinutePoint[] {
  const total = emptySeries(Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - (SERIES_MINUTES - 1) * MINUTE_MS);
  for (const points of series) {
    for (const [i, point] of points.entries()) {
      const sum = total[i];
      if (!sum) continue;
      sum.delivered += point.delivered;
      sum.filtered += point.filtered;
      sum.deadLettered += point.deadLettered;
      sum.retrying += point.retrying;
    }
  }
  return total;
}

function emptySeries(firstMs: number): MinutePoint[] {
  return Array.from({ length: SERIES_MINUTES }, (_, i) => ({
    at: new Date(firstMs + i * MINUTE_MS).toISOString(),
    delivered: 0,
    filtered: 0,
    deadLettered: 0,
    retrying: 0,
  }));
}
