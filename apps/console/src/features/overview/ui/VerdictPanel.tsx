'use client';

import { Anchor } from '@mantine/core';
import { IconAlertOctagon, IconAlertTriangle, IconCircleCheck, IconCircleDashed } from '@tabler/icons-react';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { useNow } from '../../../ui/use-now.ts';
import { useSlug } from '../../tenancy/api.tsx';
import type { OverviewView } from '../types.ts';
import classes from './OverviewPage.module.css';
import { type Finding, verdictOf } from './verdict.ts';

const icons = { good: IconCircleCheck, wait: IconAlertTriangle, bad: IconAlertOctagon, quiet: IconCircleDashed } as const;

/** The answer to "is it all right?", before anything else on the page. */
export function VerdictPanel({ view }: { view: OverviewView }) {
  const verdict = verdictOf(view, Math.floor(useNow() / 60_000) * 60_000);
  const VerdictIcon = icons[verdict.tone];
  return (
    <section
      className={classes.verdict}
      aria-label="State"
      style={
        {
          '--verdict-fg': `var(--vr-${verdict.tone}-fg)`,
          '--verdict-bg': `var(--vr-${verdict.tone}-bg)`,
          '--verdict-line': `var(--vr-${verdict.tone}-line)`,
        } as React.CSSProperties
      }
    >
      <VerdictIcon size={20} aria-hidden />
      <div style={{ minWidth: 0 }} role="status">
        <h2>{verdict.title}</h2>
        <p>{verdict.detail}</p>
        {verdict.findings.length > 0 && (
          <ul className={classes.findings}>
            {verdict.findings.map((finding) => (
              <li key={finding.text}>
                {finding.text}
                <FindingLink place={finding.place} />
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function FindingLink({ place }: { place: Finding['place'] }) {
  const slug = useSlug();
  const [href, label] = {
    pipeline: () => [paths.pipeline(slug, place.kind === 'pipeline' ? place.id : ''), 'Open the pipeline'] as const,
    nodes: () => [paths.nodes(slug), 'See the nodes'] as const,
    dead_letters: () => [paths.deadLetters(slug), 'Look at them'] as const,
    retrying: () => [paths.messages(slug, { states: ['retrying'] }), 'See which'] as const,
  }[place.kind]();
  return (
    <Anchor component={Link} href={href} underline="always" c="inherit">
      {label}
    </Anchor>
  );
}
