'use client';

import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../../trpc/trpc-context.ts';

/** What each step made of the message, recomputed on a node when the page asks. The same for ever: it is asked once. */
export function usePayloads(messageId: string) {
  return useQuery(
    useTRPC().messages.payloads.queryOptions(
      { id: messageId },
      { staleTime: Number.POSITIVE_INFINITY, gcTime: 5 * 60_000, retry: false, refetchOnWindowFocus: false, meta: { neverChanges: true } },
    ),
  );
}
