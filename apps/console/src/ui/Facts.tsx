import { Fragment, type ReactNode } from 'react';
import classes from './Facts.module.css';

/** Names and values, in two columns. An entry without a value is left out. */
export function Facts({ entries }: { entries: [name: string, value: ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {entries
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}

/** The two or three figures that matter, large. */
export function Figures({ entries }: { entries: [name: string, value: ReactNode][] }) {
  return (
    <dl className={classes.figures}>
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
