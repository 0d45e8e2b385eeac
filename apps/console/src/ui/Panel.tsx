import { Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';
import { useId } from 'react';
import classes from './Panel.module.css';

/** A titled section of a page. `padded={false}` for a table or a list that brings its own edges. */
export function Panel({ title, aside, padded = true, children }: { title: ReactNode; aside?: ReactNode; padded?: boolean; children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <div className={classes.head}>
        <h2 id={id}>{title}</h2>
        {aside && <div className={classes.aside}>{aside}</div>}
      </div>
      <div className={classes.body} data-padded={padded || undefined}>
        {children}
      </div>
    </section>
  );
}

/** The shape of a panel that is on its way. */
export function PanelSkeleton({ height, className }: { height: number; className?: string | undefined }) {
  return (
    <div className={className ? `${classes.panel} ${className}` : classes.panel} style={{ height }} aria-hidden>
      <div className={classes.head}>
        <Skeleton height={12} width={120} radius="sm" />
      </div>
      <div className={classes.body} data-padded>
        <Skeleton height={10} width="62%" radius="sm" />
        {height > 140 && <Skeleton height={10} width="48%" radius="sm" mt="md" />}
        {height > 200 && <Skeleton height={10} width="70%" radius="sm" mt="md" />}
      </div>
    </div>
  );
}
