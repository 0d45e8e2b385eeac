'use client';

import { BarChart } from '@mantine/charts';
import '@mantine/charts/styles.layer.css';
import type { MinutePoint } from '../features/pipelines/types.ts';
import { formatClock, formatCompact, formatNumber } from './format.ts';
import classes from './MinuteChart.module.css';
import { chartSeries } from './minute-series.ts';
import { totalOf } from './minutes.ts';

/** The drawing alone; MinuteChart loads it when it is needed. */
export function MinuteChartPlot({ points, height }: { points: MinutePoint[]; height: number }) {
  const most = Math.max(...points.map(totalOf));
  return (
    <BarChart
      h={height}
      data={points}
      dataKey="at"
      type="stacked"
      series={chartSeries.map((series) => ({ ...series }))}
      gridAxis="x"
      strokeDasharray="0"
      gridColor="var(--vr-line)"
      textColor="dimmed"
      tickLine="none"
      maxBarWidth={16}
      barProps={{ isAnimationActive: false }}
      barChartProps={{ barCategoryGap: 1, margin: { top: 8, right: 4, bottom: 0, left: 0 } }}
      xAxisProps={{
        tickFormatter: (at: string) => formatClock(Date.parse(at), 'minute'),
        interval: 14,
        minTickGap: 24,
        axisLine: { stroke: 'var(--mantine-color-default-border)' },
      }}
      yAxisProps={{ width: 44, allowDecimals: false, domain: [0, most < 4 ? 4 : 'auto'], tickFormatter: (value: number) => formatCompact(value), tickCount: 5 }}
      tooltipProps={{
        cursor: { fill: 'var(--vr-hover)' },
        content: ({ active, label }) => (active ? <PointTooltip point={points.find((item) => item.at === label)} /> : null),
      }}
    />
  );
}

function PointTooltip({ point }: { point: MinutePoint | undefined }) {
  if (!point) return null;
  return (
    <div className={classes.tooltip}>
      <p>{formatClock(Date.parse(point.at), 'minute')}</p>
      {chartSeries.map((series) => (
        <div key={series.name}>
          <span className={classes.swatch} style={{ background: series.color }} />
          <span>{series.label}</span>
          <span>{formatNumber(point[series.name])}</span>
        </div>
      ))}
    </div>
  );
}
