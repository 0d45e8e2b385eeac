'use client';

import { IconCloudOff, IconHistory } from '@tabler/icons-react';
import { formatClock } from './format.ts';
import classes from './StaleBanner.module.css';

/** What is on the page is not the newest: since when, and what is being done about it. */
export function StaleBanner({ asOf, reason }: { asOf: number | null; reason: 'reconnecting' | 'catching_up' }) {
  const StaleIcon = reason === 'reconnecting' ? IconCloudOff : IconHistory;
  return (
    <div className={classes.stale} role="status">
      <StaleIcon size={16} aria-hidden />
      <span>
        {asOf !== null && <strong>As of {formatClock(asOf)}. </strong>}
        {reason === 'reconnecting'
          ? 'The connection to the console is lost; reconnecting. Messages keep flowing.'
          : 'Many messages are arriving; the trail is catching up. Delivery is not delayed by this.'}
      </span>
    </div>
  );
}
