'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type RefObject, useEffect, useState } from 'react';
import type { MessageFilters } from '../../../lib/paths.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import type { MessageSummary } from '../types.ts';
import { type LiveList, startList, takeHead, takeOlder, takeWaiting } from './live-list.ts';
import { useReading } from './use-reading.ts';

const PAGE_SIZE = 50;
const keyOf = (message: MessageSummary): string => message.id;

/** The messages under some filters: a live head that respects the reader, and older pages on request. Give the component `key={filters}`. */
export function useLiveMessages(filters: MessageFilters, listElement: RefObject<HTMLElement | null>) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const isReading = useReading(listElement);
  const input = {
    pipelineId: filters.pipelineId,
    states: filters.states?.length ? filters.states : undefined,
    search: filters.search || undefined,
    limit: PAGE_SIZE,
  };
  const head = useQuery(trpc.messages.list.queryOptions(input));
  const [list, setList] = useState<LiveList<MessageSummary> | null>(head.data ? startList(head.data) : null);
  const [older, setOlder] = useState<{ loading: boolean; error: unknown }>({ loading: false, error: null });

  const page = head.data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new page changes the list; whether somebody reads is asked at that moment
  useEffect(() => {
    if (page) setList((before) => (before ? takeHead(before, page, keyOf, isReading()) : startList(page)));
  }, [page]);

  async function loadOlder(): Promise<void> {
    if (!list?.olderCursor) return;
    setOlder({ loading: true, error: null });
    try {
      const next = await queryClient.fetchQuery(trpc.messages.list.queryOptions({ ...input, cursor: list.olderCursor }));
      setList((before) => before && takeOlder(before, next, keyOf));
      setOlder({ loading: false, error: null });
    } catch (error) {
      setOlder({ loading: false, error });
    }
  }

  return {
    list,
    error: head.error,
    retry: () => void head.refetch(),
    /** How far behind the projection was when it last answered. */
    lag: page ? { asOf: Date.parse(page.asOf), ms: head.dataUpdatedAt - Date.parse(page.asOf) } : null,
    older: { ...older, load: () => void loadOlder() },
    showWaiting: () => setList((before) => before && takeWaiting(before, keyOf)),
  };
}
