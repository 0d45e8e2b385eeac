'use client';

import { Anchor, Button } from '@mantine/core';
import { IconMailCheck, IconSearch, IconSend } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useRouter, useSearchParams } from 'next/navigation';
import { useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { useTRPC, useTRPCClient } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { FilterChip } from '../../../ui/FilterChip.tsx';
import { formatCount, formatNumber, shortenMiddle } from '../../../ui/format.ts';
import { IdPlain } from '../../../ui/IdText.tsx';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { useNeeds, useSlug } from '../../tenancy/api.tsx';
import { Reason } from '../api.tsx';
import type { DeadLetterView } from '../types.ts';
import { BulkSendAgain } from './BulkSendAgain.tsx';
import { LivePanel } from './LivePanel.tsx';
import classes from './MessagesPage.module.css';
import { SendAgain } from './SendAgain.tsx';
import { useLiveList } from './use-live-list.ts';

const PAGE_SIZE = 50;
const keyOf = (letter: DeadLetterView): string => `${letter.messageId} ${letter.destinationId}`;

export function DeadLettersPage() {
  const slug = useSlug();
  const router = useRouter();
  const trpc = useTRPC();
  const pipelineId = useSearchParams().get('pipeline') ?? undefined;
  const pipelines = useQuery(trpc.pipelines.list.queryOptions());
  return (
    <>
      <PageHeader title="Dead letters" lead="Messages that a destination did not take. They are kept for 30 days: mend the cause, then send them again." />
      <search className={classes.filters}>
        <FilterChip
          label="Pipeline"
          single
          options={(pipelines.data ?? []).map((pipeline) => ({ value: pipeline.id, label: pipeline.name }))}
          selected={pipelineId ? [pipelineId] : []}
          onChange={([chosen]) => router.replace(paths.deadLetters(slug, { pipelineId: chosen }), { scroll: false })}
        />
      </search>
      <DeadLetterList key={pipelineId ?? ''} pipelineId={pipelineId} />
    </>
  );
}

function DeadLetterList({ pipelineId }: { pipelineId: string | undefined }) {
  const slug = useSlug();
  const trpc = useTRPC();
  const client = useTRPCClient();
  const needs = useNeeds('message.resend');
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [sending, setSending] = useState<DeadLetterView[] | null>(null);
  const input = { pipelineId, limit: PAGE_SIZE };
  const head = useQuery(trpc.deadLetters.list.queryOptions(input));
  const live = useLiveList({ head, keyOf, loadOlder: (cursor) => client.deadLetters.list.query({ ...input, cursor }) });
  const chosen = (live.list?.items ?? []).filter((letter) => selected.has(keyOf(letter)));
  return (
    <>
      {chosen.length > 0 && (
        <section className={classes.bulk} aria-label="With the selected dead letters">
          <strong>{formatCount(chosen.length, 'dead letter')} selected</strong>
          <NeedsRole role={needs}>
            {(disabled) => (
              <Button leftSection={<IconSend size={15} aria-hidden />} disabled={disabled} onClick={() => setSending(chosen)}>
                Send {formatCount(chosen.length, 'dead letter')} again
              </Button>
            )}
          </NeedsRole>
          <Button variant="subtle" onClick={() => setSelected(new Set())}>
            Clear selection
          </Button>
        </section>
      )}
      <LivePanel live={live} what="dead letter" columns={6} empty={<NoDeadLetters filtered={pipelineId !== undefined} />}>
        {(list) => (
          <DataTable
            label="Dead letters"
            columns={columns}
            rows={list.items}
            rowKey={keyOf}
            rowLabel={(letter) => `${shortenMiddle(letter.messageId)} to ${letter.destinationName}`}
            rowHref={(letter) => paths.message(slug, letter.messageId)}
            isNew={(letter) => list.arrived.has(keyOf(letter))}
            selection={{ selected, onChange: setSelected }}
          />
        )}
      </LivePanel>
      {sending && <BulkSendAgain letters={sending} onClose={() => setSending(null)} onSent={(remaining) => setSelected(new Set(remaining.map(keyOf)))} />}
    </>
  );
}

const columns: Column<DeadLetterView>[] = [
  { id: 'message', header: 'Message', cell: (letter) => <IdPlain value={letter.messageId} />, width: 150, narrow: 'title' },
  {
    id: 'where',
    header: 'Pipeline → destination',
    cell: (letter) => <span title={`${letter.pipelineName} → ${letter.destinationName}`}>{`${letter.pipelineName} → ${letter.destinationName}`}</span>,
    cut: true,
    width: '24%',
    narrow: 'full',
  },
  { id: 'reason', header: 'Reason', cell: (letter) => <Reason text={letter.reason} />, cut: true, width: '40%', narrow: 'full' },
  { id: 'attempts', header: 'Attempts', cell: (letter) => formatNumber(letter.attempts), align: 'right', width: 76, narrow: 'meta', narrowLabel: 'Attempts' },
  { id: 'at', header: 'Gave up', cell: (letter) => <RelativeTime at={letter.at} />, align: 'right', width: 104, narrow: 'meta' },
  { id: 'resent', header: 'Sent again', cell: (letter) => <Resent letter={letter} />, align: 'right', width: 104, narrow: 'meta', narrowLabel: 'Sent again' },
  {
    id: 'action',
    header: 'Action',
    cell: (letter) => (
      <SendAgain
        quiet
        messageId={letter.messageId}
        destinationId={letter.destinationId}
        label={letter.resentAt ? 'Once more' : 'Send again'}
        describedBy={`${shortenMiddle(letter.messageId)} to ${letter.destinationName}`}
      />
    ),
    align: 'right',
    width: 108,
    narrow: 'side',
  },
];

/** When it was last sent again, leading to the message it became. */
function Resent({ letter }: { letter: DeadLetterView }) {
  const slug = useSlug();
  if (!letter.resentAt) return <span style={{ color: 'var(--vr-dim)' }}>not yet</span>;
  if (!letter.resentAs) return <RelativeTime at={letter.resentAt} />;
  return (
    <Anchor component={Link} href={paths.message(slug, letter.resentAs)}>
      <RelativeTime at={letter.resentAt} />
    </Anchor>
  );
}

function NoDeadLetters({ filtered }: { filtered: boolean }) {
  const slug = useSlug();
  if (filtered) {
    return (
      <EmptyState
        icon={IconSearch}
        title="No dead letters of this pipeline"
        action={
          <Button variant="default" component={Link} href={paths.deadLetters(slug)}>
            Show those of all pipelines
          </Button>
        }
      >
        Everything it accepted was delivered, filtered, or is still being tried.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={IconMailCheck}
      title="No dead letters"
      action={
        <Button variant="default" component={Link} href={paths.messages(slug)}>
          See all messages
        </Button>
      }
    >
      When a destination refuses a message for good, or does not answer in any attempt, the message is kept here with the reason, ready to be sent again.
    </EmptyState>
  );
}
