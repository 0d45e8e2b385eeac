'use client';

import type { UseQueryResult } from '@tanstack/react-query';
import { type RefObject, useEffect, useRef, useState } from 'react';
import type { Page } from '../types.ts';
import { type LiveList, startList, takeHead, takeOlder, takeWaiting } from './live-list.ts';
import { useReading } from './use-reading.ts';

interface LiveListOptions<T> {
  /** The newest page; it is asked again whenever something changed. */
  head: UseQueryResult<Page<T>, unknown>;
  loadOlder: (cursor: string) => Promise<Page<T>>;
  keyOf: (item: T) => string;
}

export interface LiveListState<T> {
  /** Goes around the list: what happens inside it counts as reading. */
  element: RefObject<HTMLDivElement | null>;
  list: LiveList<T> | null;
  error: unknown;
  retry: () => void;
  /** How far behind the trail was when it last answered. */
  lag: { asOf: number; ms: number } | null;
  older: { loading: boolean; error: unknown; load: () => void };
  showWaiting: () => void;
}

/** A list with a live head that respects its reader, and older pages on request. Other filters are another list: give the component a `key`. */
export function useLiveList<T>({ head, loadOlder, keyOf }: LiveListOptions<T>): LiveListState<T> {
  const element = useRef<HTMLDivElement>(null);
  const isReading = useReading(element);
  const page = head.data;
  const [list, setList] = useState<LiveList<T> | null>(page ? startList(page) : null);
  const [older, setOlder] = useState<{ loading: boolean; error: unknown }>({ loading: false, error: null });

  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new page changes the list; whether somebody reads is asked at that moment
  useEffect(() => {
    if (page) setList((before) => (before ? takeHead(before, page, keyOf, isReading()) : startList(page)));
  }, [page]);

  async function load(): Promise<void> {
    if (!list?.olderCursor) return;
    setOlder({ loading: true, error: null });
    try {
      const next = await loadOlder(list.olderCursor);
      setList((before) => before && takeOlder(before, next, keyOf));
      setOlder({ loading: false, error: null });
    } catch (error) {
      setOlder({ loading: false, error });
    }
  }

  return {
    element,
    list,
    error: head.error,
    retry: () => void head.refetch(),
    lag: page ? { asOf: Date.parse(page.asOf), ms: head.dataUpdatedAt - Date.parse(page.asOf) } : null,
    older: { ...older, load: () => void load() },
    showWaiting: () => setList((before) => before && takeWaiting(before, keyOf)),
  };
}
