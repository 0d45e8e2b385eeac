'use client';

import { Tooltip } from '@mantine/core';
import { formatClock, formatExact, formatRelative } from './format.ts';
import { useNow } from './use-now.ts';

/** "12 s ago"; on hover the exact local and UTC time. `clock` shows the time of day instead, to the millisecond. */
export function RelativeTime({ at, clock = false }: { at: string | number; clock?: boolean }) {
  const now = useNow();
  const atMs = typeof at === 'number' ? at : Date.parse(at);
  const exact = formatExact(atMs);
  return (
    <Tooltip
      label={
        <span className="tabular">
          {exact.local}
          <br />
          {exact.utc}
        </span>
      }
    >
      <time dateTime={new Date(atMs).toISOString()} style={{ whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' }} suppressHydrationWarning>
        {clock ? formatClock(atMs, 'ms') : formatRelative(atMs, now)}
      </time>
    </Tooltip>
  );
}
