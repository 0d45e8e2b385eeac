'use client';

import { Anchor, VisuallyHidden } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import Link from 'next/link';
import type { CSSProperties, ReactNode } from 'react';
import { paths } from '../../../lib/paths.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { formatCount } from '../../../ui/format.ts';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import type { Tone } from '../../../ui/states.ts';
import { useNow } from '../../../ui/use-now.ts';
import type { DestinationHealth } from '../../messages/types.ts';
import { useSlug } from '../../tenancy/api.tsx';
import { destinationWords } from '../destination-words.ts';
import classes from './Notices.module.css';

/** What keeps messages from a destination, since when and until when, and that it is over when it is. Nothing while all is well. */
export function DestinationNotices({ pipelineId, draft }: { pipelineId: string; draft: PipelineDraft }) {
  const { data } = useQuery(useTRPC().messages.waiting.queryOptions({ pipelineId }));
  return (
    <>
      {/* Said once; the times in the notices go on ticking. */}
      <VisuallyHidden role="status">{data?.map((health) => wordsOf(health, draft).title).join('. ')}</VisuallyHidden>
      {data?.map((health) => (
        <DestinationNotice key={health.destinationId} health={health} pipelineId={pipelineId} draft={draft} />
      ))}
    </>
  );
}

function wordsOf(health: DestinationHealth, draft: PipelineDraft) {
  const destination = draft.destinations.find(({ id }) => id === health.destinationId);
  const name = destination?.name ?? health.destinationId;
  return { name, ...destinationWords(name, health, destination) };
}

const looks = {
  failing: { tone: 'bad', icon: IconAlertTriangle },
  recovering: { tone: 'wait', icon: IconRefresh },
  recovered: { tone: 'good', icon: IconCircleCheck },
} as const;

function DestinationNotice({ health, pipelineId, draft }: { health: DestinationHealth; pipelineId: string; draft: PipelineDraft }) {
  const slug = useSlug();
  const { name, title, todo } = wordsOf(health, draft);
  const { state, waiting, failure, dead } = health;
  const { tone, icon: NoticeIcon } = looks[state];
  return (
    <section className={classes.notice} style={toned(tone)} aria-label={`Destination ${name}`}>
      <NoticeIcon size={17} aria-hidden />
      <div className={classes.body}>
        <h2>{title}</h2>
        {state === 'failing' && failure?.reason && <p>{failure.reason}</p>}
        <Times health={health} />
        {todo.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        <p className={classes.times}>
          {waiting > 0 && (
            <Anchor component={Link} href={paths.messages(slug, { pipelineId, states: ['retrying'] })} size="sm" underline="always">
              See the messages that wait
            </Anchor>
          )}
          {dead && (
            <Anchor component={Link} href={paths.deadLetters(slug, { pipelineId })} size="sm" underline="always">
              See the dead letters
            </Anchor>
          )}
        </p>
      </div>
    </section>
  );
}

function Times({ health: { state, waiting, since, failure, nextAt, caughtUp, deliveredAt } }: { health: DestinationHealth }) {
  const now = useNow();
  const facts: [string, ReactNode][] = [];
  if (waiting > 0 && since) facts.push(['Failing since', <RelativeTime key="since" at={since} />]);
  if (state === 'failing' && failure) facts.push(['Last attempt', <RelativeTime key="last" at={failure.at} />]);
  // A time that has just passed is the attempt that runs now.
  if (waiting > 0 && nextAt) facts.push(['Next attempt', Date.parse(nextAt) > now ? <RelativeTime key="next" at={nextAt} /> : 'now']);
  if (state !== 'failing' && deliveredAt) facts.push(['Last delivery', <RelativeTime key="delivered" at={deliveredAt} />]);
  if (state !== 'failing' && caughtUp > 0) facts.push(['Delivered by a later attempt in the last 10 minutes', formatCount(caughtUp, 'message')]);
  if (facts.length === 0) return null;
  return (
    <p className={classes.times}>
      {facts.map(([word, value]) => (
        <span key={word}>
          {word}: <b>{value}</b>
        </span>
      ))}
    </p>
  );
}

export function toned(tone: Tone): CSSProperties {
  return { '--notice-fg': `var(--vr-${tone}-fg)`, '--notice-bg': `var(--vr-${tone}-bg)`, '--notice-line': `var(--vr-${tone}-line)` } as CSSProperties;
}
