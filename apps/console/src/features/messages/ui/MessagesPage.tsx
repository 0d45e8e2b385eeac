'use client';

import { Button, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconMessages, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useRouter, useSearchParams } from 'next/navigation';
import { useState } from 'react';
import { type MessageFilters, paths } from '../../../lib/paths.ts';
import { useTRPC, useTRPCClient } from '../../../trpc/trpc-context.ts';
import { DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { FilterChip } from '../../../ui/FilterChip.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { messageStates, stateWord } from '../../../ui/states.ts';
import { useSlug } from '../../tenancy/api.tsx';
import { messageColumns } from '../api.tsx';
import type { MessageState, MessageSummary } from '../types.ts';
import { LivePanel } from './LivePanel.tsx';
import classes from './MessagesPage.module.css';
import { useLiveList } from './use-live-list.ts';

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
  const trpc = useTRPC();
  const client = useTRPCClient();
  const input = {
    pipelineId: filters.pipelineId,
    states: filters.states?.length ? filters.states : undefined,
    search: filters.search || undefined,
    limit: PAGE_SIZE,
  };
  const head = useQuery(trpc.messages.list.queryOptions(input));
  const live = useLiveList({ head, keyOf, loadOlder: (cursor) => client.messages.list.query({ ...input, cursor }) });
  return (
    <LivePanel live={live} what="message" columns={7} empty={<NoMessages filtered={hasFilters(filters)} />}>
      {(list) => (
        <DataTable
          label="Messages"
          columns={messageColumns()}
          rows={list.items}
          rowKey={keyOf}
          rowHref={(message) => paths.message(slug, message.id)}
          isNew={(message) => list.arrived.has(message.id)}
        />
      )}
    </LivePanel>
  );
}

const PAGE_SIZE = 50;
const keyOf = (message: MessageSummary): string => message.id;

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
