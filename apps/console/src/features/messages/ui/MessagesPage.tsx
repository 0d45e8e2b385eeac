'use client';

import { Button, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconArrowUp, IconMessages, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useRouter, useSearchParams } from 'next/navigation';
import { useRef, useState } from 'react';
import { type MessageFilters, paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { FilterChip } from '../../../ui/FilterChip.tsx';
import { formatCount } from '../../../ui/format.ts';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { StaleBanner } from '../../../ui/StaleBanner.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { messageStates, stateWord } from '../../../ui/states.ts';
import { useSlug } from '../../tenancy/api.tsx';
import { messageColumns } from '../api.tsx';
import type { MessageState } from '../types.ts';
import classes from './MessagesPage.module.css';
import { useLiveMessages } from './use-live-messages.ts';

/** Behind by more than this, the page says so. */
const LAG_WORTH_SAYING_MS = 10_000;

export function MessagesPage() {
  const filters = toFilters(useSearchParams());
  return (
    <>
      <PageHeader title="Messages" lead="Everything that came in, what became of it, and how it got there." />
      <Filters filters={filters} />
      {/* Other filters are another list: it starts anew. */}
      <MessageList key={JSON.stringify(filters)} filters={filters} />
    </>
  );
}

function MessageList({ filters }: { filters: MessageFilters }) {
  const slug = useSlug();
  const table = useRef<HTMLDivElement>(null);
  const { list, error, retry, lag, older, showWaiting } = useLiveMessages(filters, table);
  if (!list && error) return <ErrorState error={toErrorView(error)} onRetry={retry} />;
  return (
    <>
      {lag && lag.ms > LAG_WORTH_SAYING_MS && <StaleBanner asOf={lag.asOf} reason="catching_up" />}
      <div ref={table} className={classes.panel}>
        {!list ? (
          <TableSkeleton columns={7} rows={12} />
        ) : list.items.length === 0 ? (
          <NoMessages filtered={hasFilters(filters)} />
        ) : (
          <>
            {list.waiting && <NewerButton waiting={list.waiting} onShow={showWaiting} />}
            <DataTable
              label="Messages"
              columns={messageColumns()}
              rows={list.items}
              rowKey={(message) => message.id}
              rowHref={(message) => paths.message(slug, message.id)}
              isNew={(message) => list.arrived.has(message.id)}
            />
            <div className={classes.foot}>
              <span>{formatCount(list.items.length, 'message')} shown, newest first</span>
              {older.error !== null && <span role="alert">{toErrorView(older.error).message}</span>}
              {list.olderCursor === null ? (
                <span>This is the oldest one kept.</span>
              ) : (
                <Button variant="default" loading={older.loading} onClick={older.load}>
                  Show older messages
                </Button>
              )}
            </div>
          </>
        )}
      </div>
    </>
  );
}

/** New messages wait behind it, so that nothing moves under the reader. */
function NewerButton({ waiting, onShow }: { waiting: { count: number; more: boolean }; onShow: () => void }) {
  return (
    <div className={classes.newer} role="status">
      <button
        type="button"
        onClick={() => {
          onShow();
          window.scrollTo({ top: 0 });
        }}
      >
        <IconArrowUp size={14} aria-hidden />
        {waiting.more ? `More than ${waiting.count} new` : `${waiting.count} new`}
      </button>
    </div>
  );
}

function NoMessages({ filtered }: { filtered: boolean }) {
  const slug = useSlug();
  if (filtered) {
    return (
      <EmptyState
        icon={IconSearch}
        title="No message matches"
        action={
          <Button variant="default" component={Link} href={paths.messages(slug)}>
            Clear all filters
          </Button>
        }
      >
        Nothing that came in fits these filters. The search takes a message id, its beginning (msg_…), or a whole trace id. A new message that fits appears here
        by itself.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={IconMessages}
      title="No messages yet"
      action={
        <Button component={Link} href={paths.pipelines(slug)}>
          Go to pipelines
        </Button>
      }
    >
      A message is one request that a pipeline accepted. Open a published pipeline, copy its curl line and send one: it appears here within a second.
    </EmptyState>
  );
}

function Filters({ filters }: { filters: MessageFilters }) {
  const slug = useSlug();
  const router = useRouter();
  const trpc = useTRPC();
  const pipelines = useQuery(trpc.pipelines.list.queryOptions());
  const [search, setSearch] = useState(filters.search ?? '');
  const apply = (change: Partial<MessageFilters>) => router.replace(paths.messages(slug, { ...filters, ...change }), { scroll: false });
  const applySearch = useDebouncedCallback((text: string) => apply({ search: text.trim() }), 300);
  return (
    <search className={classes.filters}>
      <TextInput
        className={classes.search}
        size="xs"
        value={search}
        onChange={(event) => {
          setSearch(event.currentTarget.value);
          applySearch(event.currentTarget.value);
        }}
        leftSection={<IconSearch size={15} aria-hidden />}
        placeholder="Message id or trace id"
        aria-label="Search messages"
      />
      <FilterChip
        label="State"
        options={messageStates.map((state) => ({ value: state, label: stateWord(state), mark: <StateBadge state={state} /> }))}
        selected={filters.states ?? []}
        onChange={(states) => apply({ states: states as MessageState[] })}
      />
      <FilterChip
        label="Pipeline"
        single
        options={(pipelines.data ?? []).map((pipeline) => ({ value: pipeline.id, label: pipeline.name }))}
        selected={filters.pipelineId ? [filters.pipelineId] : []}
        onChange={([pipelineId]) => apply({ pipelineId })}
      />
      {hasFilters(filters) && (
        <Button
          variant="subtle"
          onClick={() => {
            setSearch('');
            router.replace(paths.messages(slug), { scroll: false });
          }}
        >
          Clear all
        </Button>
      )}
    </search>
  );
}

function toFilters(search: URLSearchParams): MessageFilters {
  const known = new Set<string>(messageStates);
  const states = (search.get('state') ?? '').split(',').filter((state) => known.has(state)) as MessageState[];
  return { pipelineId: search.get('pipeline') ?? undefined, states, search: search.get('q') ?? undefined };
}

function hasFilters(filters: MessageFilters): boolean {
  return Boolean(filters.pipelineId || filters.search || filters.states?.length);
}
