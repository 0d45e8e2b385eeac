import type { Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './EmptyState.module.css';

interface EmptyStateProps {
  icon: Icon;
  /** What is not here yet. */
  title: string;
  /** What it is and why one would want it. */
  children: ReactNode;
  /** The next step. */
  action?: ReactNode;
  compact?: boolean;
}

export function EmptyState({ icon: EmptyIcon, title, children, action, compact = false }: EmptyStateProps) {
  return (
    <div className={classes.empty} data-compact={compact || undefined}>
      <div className={classes.icon}>
        <EmptyIcon size={20} stroke={1.75} aria-hidden />
      </div>
      <p className={classes.title}>{title}</p>
      <p className={classes.text}>{children}</p>
      {action && <div className={classes.action}>{action}</div>}
    </div>
  );
}
