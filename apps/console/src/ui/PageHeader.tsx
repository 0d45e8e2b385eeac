import { Anchor } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import Link from 'next/link';
import type { ReactNode } from 'react';
import classes from './PageHeader.module.css';

interface PageHeaderProps {
  title: ReactNode;
  /** One sentence: what this page is for. */
  lead?: ReactNode;
  /** Beside the title: the state, mostly. */
  badge?: ReactNode;
  /** The one primary action, and few others. */
  actions?: ReactNode;
  back?: { href: string; label: string };
}

/** The top of every page; its title is the page's only h1. */
export function PageHeader({ title, lead, badge, actions, back }: PageHeaderProps) {
  return (
    <header className={classes.header}>
      <div className={classes.words}>
        {back && (
          <Anchor component={Link} href={back.href} className={classes.back} underline="never">
            <IconArrowLeft size={14} aria-hidden />
            {back.label}
          </Anchor>
        )}
        <div className={classes.title}>
          <h1>{title}</h1>
          {badge}
        </div>
        {lead && <div className={classes.lead}>{lead}</div>}
      </div>
      {actions && <div className={classes.actions}>{actions}</div>}
    </header>
  );
}
