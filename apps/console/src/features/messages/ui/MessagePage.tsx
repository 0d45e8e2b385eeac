'use client';

import { Anchor, Skeleton } from '@mantine/core';
import { IconMailQuestion } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { appCodeOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { Facts, Figures } from '../../../ui/Facts.tsx';
import { formatBytes, formatMillis, formatNumber } from '../../../ui/format.ts';
import { IdPlain, IdText } from '../../../ui/IdText.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import type { MessageDetail } from '../types.ts';
import { SendAgain } from './SendAgain.tsx';
import classes from './Trail.module.css';
import { Trail } from './Trail.tsx';

/** One message: how it is, and its whole way. */
export function MessagePage({ messageId }: { messageId: string }) {
  const slug = useSlug();
  const trpc = useTRPC();
  // A message that was accepted this second is on its way into the tables: ask again until it is there.
  const message = useQuery(
    trpc.messages.get.queryOptions({ id: messageId }, { refetchInterval: (query) => (isNotFound(query.state.error) ? ASK_AGAIN_MS : false) }),
  );
  const back = { href: paths.messages(slug), label: 'Messages' };

  if (message.data) return <Loaded message={message.data} />;
  return (
    <>
      <PageHeader
        back={back}
        title={<IdText value={messageId} what="message id" full />}
        lead={message.error ? undefined : <Skeleton height={14} width={280} mt={4} />}
      />
      {message.error ? (
        isNotFound(message.error) ? (
          <NotThere />
        ) : (
          <ErrorState error={toErrorView(message.error)} onRetry={() => void message.refetch()} />
        )
      ) : (
        <TrailSkeleton />
      )}
    </>
  );
}

const ASK_AGAIN_MS = 2_000;

function isNotFound(error: unknown): boolean {
  return appCodeOf(error)?.endsWith('NOT_FOUND') === true;
}

function Loaded({ message }: { message: MessageDetail }) {
  const slug = useSlug();
  const dead = message.destinations.filter((destination) => destination.state === 'dead_lettered');
  return (
    <>
      <PageHeader
        back={{ href: paths.messages(slug), label: 'Messages' }}
        title={<IdText value={message.id} what="message id" full />}
        badge={<StateBadge state={message.state} variant="pill" />}
        lead={
          <>
            <Anchor component={Link} href={paths.pipeline(slug, message.pipelineId)} underline="always">
              {message.pipelineName}
            </Anchor>
            , revision {message.revision}, received <RelativeTime at={message.receivedAt} />
            {message.answerOf && <AnswerOf answerOf={message.answerOf} />}
          </>
        }
        actions={dead.map((destination) => (
          <SendAgain
            key={destination.id}
            messageId={message.id}
            destinationId={destination.id}
            label={dead.length > 1 ? `Send again to ${destination.name}` : 'Send again'}
          />
        ))}
      />
      <div className={classes.layout}>
        <Panel title="Trail">
          <Trail message={message} />
        </Panel>
        <div className={classes.side}>
          <Panel title="Figures">
            <Figures
              entries={[
                ['Took', message.durationMs === null ? 'Under way' : formatMillis(message.durationMs)],
                ['Attempts', formatNumber(message.attempts)],
                ['Instructions', formatNumber(message.steps.reduce((sum, step) => sum + step.instructions, 0))],
              ]}
            />
          </Panel>
          <Panel title="Facts">
            <Facts
              entries={[
                ['Customer-ID', <IdText key="c" value={message.customerId} what="Customer-ID" />],
                ['Message id', <IdText key="m" value={message.id} what="message id" />],
                ['Trace id', <IdText key="t" value={message.traceId} what="trace id" />],
                ['Pipeline', message.pipelineName],
                ['Revision', formatNumber(message.revision)],
                ['Size', formatBytes(message.bytes)],
                ['Content type', message.contentType || 'none given'],
                [
                  'Address',
                  <span
                    key="a"
                    className="mono"
                    title="Sequence in the stream, and place in the pack"
                  >{`${message.address.seq}.${message.address.index}`}</span>,
                ],
                ['Sent again from', message.replayOf && <IdText key="r" value={message.replayOf} what="original message" />],
              ]}
            />
          </Panel>
        </div>
      </div>
    </>
  );
}

function AnswerOf({ answerOf: { messageId, destinationName } }: { answerOf: NonNullable<MessageDetail['answerOf']> }) {
  const slug = useSlug();
  return (
    <div>
      Answer of “{destinationName}” to{' '}
      <Anchor component={Link} href={paths.message(slug, messageId)} underline="always">
        message <IdPlain value={messageId} />
      </Anchor>
    </div>
  );
}

function NotThere() {
  const slug = useSlug();
  return (
    <EmptyState
      icon={IconMailQuestion}
      title="There is no message with this id"
      action={
        <Anchor component={Link} href={paths.messages(slug)}>
          See all messages
        </Anchor>
      }
    >
      It may be older than what is kept, or it has just been accepted and its trail is not here yet: this page shows it as soon as it arrives.
    </EmptyState>
  );
}

function TrailSkeleton() {
  return (
    <div className={classes.layout} aria-hidden>
      <Panel title="Trail">
        {[0, 1, 2, 3, 4].map((row) => (
          <div key={row} style={{ display: 'flex', gap: 12, marginBottom: 20 }}>
            <Skeleton circle height={32} />
            <div style={{ flex: 1 }}>
              <Skeleton height={12} width="30%" mt={10} />
              {row > 1 && <Skeleton height={72} mt={12} />}
            </div>
          </div>
        ))}
      </Panel>
      <div className={classes.side}>
        <PanelSkeleton height={124} />
        <PanelSkeleton height={300} />
      </div>
    </div>
  );
}
