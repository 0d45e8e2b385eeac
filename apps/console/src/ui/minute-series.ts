/** The outcomes in a chart, from the bottom of a column to its top; colours as on the badges. */
export const chartSeries = [
  { name: 'delivered', label: 'Delivered', color: 'var(--vr-good-solid)' },
  { name: 'filtered', label: 'Filtered', color: 'var(--vr-quiet-solid)' },
  { name: 'retrying', label: 'Retrying', color: 'var(--vr-wait-solid)' },
  { name: 'deadLettered', label: 'Dead-lettered', color: 'var(--vr-bad-solid)' },
] as const;
