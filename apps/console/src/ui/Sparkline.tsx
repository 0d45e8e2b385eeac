interface SparklineProps {
  /** Oldest first. */
  values: number[];
  /** What it shows, with the figures: read out instead of the drawing. */
  label: string;
  width?: number;
  height?: number;
  tone?: 'accent' | 'good' | 'wait' | 'bad' | 'quiet';
}

/** A small line over a zero line, for the course of one figure. Plain SVG: lists have many. */
export function Sparkline({ values, label, width = 96, height = 24, tone = 'accent' }: SparklineProps) {
  const max = Math.max(1, ...values);
  const bottom = height - 1.5;
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, i) => `${round(i * step)},${round(bottom - (value / max) * (height - 4))}`);
  const silent = values.every((value) => value === 0);
  return (
    <svg
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      style={{ display: 'block', overflow: 'visible' }}
    >
      <line x1={0} x2={width} y1={bottom} y2={bottom} stroke="var(--vr-line)" />
      {!silent && (
        <>
          <polygon points={`0,${bottom} ${points.join(' ')} ${width},${bottom}`} fill={`var(--vr-${tone}-solid)`} opacity={0.12} />
          <polyline points={points.join(' ')} fill="none" stroke={`var(--vr-${tone}-solid)`} strokeWidth={1.5} strokeLinejoin="round" strokeLinecap="round" />
        </>
      )}
    </svg>
  );
}

const round = (value: number): number => Math.round(value * 10) / 10;
