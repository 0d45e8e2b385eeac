import { Skeleton } from '@mantine/core';
import classes from './Step.module.css';

/** The shape of an open step while its code is on the way. */
export function StepSkeleton() {
  return (
    <div className={classes.workspace} data-room="whole" aria-hidden>
      <div className={classes.bar}>
        <Skeleton height={14} width={240} />
      </div>
      <div className={classes.columns}>
        {[60, 85, 70].map((width) => (
          <div key={width} className={classes.column}>
            <div className={classes.head}>
              <Skeleton height={12} width={80} />
            </div>
            <div style={{ padding: 12 }}>
              <Skeleton height={12} width={`${width}%`} mb={10} />
              <Skeleton height={12} width={`${width - 20}%`} mb={10} />
              <Skeleton height={12} width={`${width - 10}%`} />
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}
