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
