import classes from './Shell.module.css';

/** A key of the keyboard. */
export function Key({ name }: { name: string }) {
  return (
    <kbd className={classes.key} style={{ marginRight: 4 }}>
      {name}
    </kbd>
  );
}
