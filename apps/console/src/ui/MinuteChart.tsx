'use client';

import dynamic from 'next/dynamic';
import { useState } from 'react';
import type { MinutePoint } from '../features/pipelines/types.ts';
import { formatClock, formatCount, formatNumber } from './format.ts';
import classes from './MinuteChart.module.css';
import { chartSeries } from './minute-series.ts';
import { fillMinutes, sumOf, totalOf } from './minutes.ts';
import { useNow } from './use-now.ts';

// The chart library is the heaviest thing on the page: it comes when the page stands.
const MinuteChartPlot = dynamic(() => import('./MinuteChartPlot.tsx').then((module) => module.MinuteChartPlot), { ssr: false });

/** Messages a minute by what became of them, over the last `minutes`; the same figures as a table on request. */
export function MinuteChart({ points, minutes = 60, height = 180 }: { points: readonly MinutePoint[]; minutes?: number; height?: number }) {
  const [asTable, setAsTable] = useState(false);
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const filled = fillMinutes(points, minute, minutes);
  return (
    <figure className={classes.chart} aria-label={`Messages a minute: ${formatCount(sumOf(filled), 'message')} in the last ${minutes} minutes`}>
      <ul className={classes.legend}>
        {chartSeries.map((series) => (
          <li key={series.name}>
            <span className={classes.swatch} style={{ background: series.color }} />
            {series.label} <b>{formatNumber(filled.reduce((sum, point) => sum + point[series.name], 0))}</b>
          </li>
        ))}
        <li style={{ marginLeft: 'auto' }}>
          <button type="button" className={classes.switch} onClick={() => setAsTable(!asTable)} aria-pressed={asTable}>
            {asTable ? 'Show as chart' : 'Show as table'}
          </button>
        </li>
      </ul>
      {asTable ? (
        <MinuteTable points={filled} height={height} />
      ) : (
        <div style={{ position: 'relative', height }}>
          <MinuteChartPlot points={filled} height={height} />
        </div>
      )}
    </figure>
  );
}

function MinuteTable({ points, height }: { points: MinutePoint[]; height: number }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className={classes.scroll} style={{ height }} tabIndex={0} aria-label="Messages a minute as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Minute</th>
            {chartSeries.map((series) => (
              <th key={series.name} scope="col">
                {series.label}
              </th>
            ))}
            <th scope="col">All</th>
          </tr>
        </thead>
        <tbody>
          {points.toReversed().map((point) => (
            <tr key={point.at}>
              <th scope="row">{formatClock(Date.parse(point.at), 'minute')}</th>
              {chartSeries.map((series) => (
                <td key={series.name}>{formatNumber(point[series.name])}</td>
              ))}
              <td>{formatNumber(totalOf(point))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
