import classes from './StateBadge.module.css';
import { type StateName, stateLooks } from './states.ts';

interface StateBadgeProps {
  state: StateName;
  /** `plain` in tables, `pill` beside a title, `icon` where the word stands elsewhere (it stays for screen readers). */
  variant?: 'plain' | 'pill' | 'icon';
  /** Instead of the state's own word, when more can be said in as little room. */
  word?: string;
}

/** A state as icon and word; the colour only repeats them. */
export function StateBadge({ state, variant = 'plain', word }: StateBadgeProps) {
  const look = stateLooks[state];
  const StateIcon = look.icon;
  return (
    <span
      className={classes.badge}
      data-variant={variant}
      data-state={state}
      data-turning={look.turning}
      style={
        {
          '--badge-fg': `var(--vr-${look.tone}-fg)`,
          '--badge-bg': `var(--vr-${look.tone}-bg)`,
          '--badge-line': `var(--vr-${look.tone}-line)`,
        } as React.CSSProperties
      }
    >
      <StateIcon size={15} stroke={2} aria-hidden />
      <span>{word ?? look.word}</span>
    </span>
  );
}
