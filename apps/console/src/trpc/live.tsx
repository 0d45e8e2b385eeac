'use client';

import { useQueryClient } from '@tanstack/react-query';
import { useSubscription } from '@trpc/tanstack-react-query';
import { backoff } from '@vrsky/kernel/backoff';
import { createContext, type ReactNode, useContext, useEffect, useEffectEvent, useMemo, useState } from 'react';
import { askAgain } from './ask-again.ts';
import { createGatherer } from './gather.ts';
import { useTRPC } from './trpc-context.ts';

export type LiveKind = 'messages' | 'rollout' | 'pipelines' | 'nodes' | 'receiver' | 'calls' | 'secrets';

export interface Live {
  /** `reconnecting`: what the page shows is as of `lostAt`. */
  state: 'connecting' | 'live' | 'reconnecting';
  lostAt: number | null;
}

const LiveContext = createContext<Live>({ state: 'connecting', lostAt: null });

/** How the page's one live connection is doing. Pages need nothing else: their queries are asked again when something they show has changed. */
export function useLive(): Live {
  return useContext(LiveContext);
}

/** Asks again at most this often for one kind of change, the first time at once. */
const GATHER_MS = 1_000;

/** Keeps one subscription per tab and marks the queries a change touches as out of date; those on the page are then asked again. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [live, setLive] = useState<Live>({ state: 'connecting', lostAt: null });

  const gatherer = useMemo(() => {
    const touched: Record<LiveKind, (readonly unknown[])[]> = {
      messages: [
        trpc.overview.pathKey(),
        trpc.messages.list.pathKey(),
        trpc.messages.get.pathKey(),
        trpc.messages.waiting.pathKey(),
        trpc.deadLetters.pathKey(),
        trpc.pipelines.list.pathKey(),
        trpc.pipelines.get.pathKey(),
      ],
      rollout: [
        trpc.overview.pathKey(),
        trpc.nodes.pathKey(),
        trpc.connectors.pathKey(),
        trpc.pipelines.list.pathKey(),
        trpc.pipelines.get.pathKey(),
        trpc.pipelines.rollout.pathKey(),
      ],
      pipelines: [trpc.overview.pathKey(), trpc.pipelines.list.pathKey(), trpc.pipelines.get.pathKey()],
      nodes: [trpc.overview.pathKey(), trpc.nodes.pathKey(), trpc.connectors.pathKey()],
      receiver: [trpc.receiver.list.pathKey()],
      calls: [trpc.connectors.calls.pathKey(), trpc.connectors.refusals.pathKey()],
      secrets: [trpc.secrets.pathKey()],
    };
    return createGatherer<LiveKind>(GATHER_MS, (kind) => {
      for (const queryKey of touched[kind]) askAgain(queryClient, { queryKey });
    });
  }, [trpc, queryClient]);
  useEffect(() => () => gatherer.stop(), [gatherer]);

  const subscription = useSubscription(trpc.live.changes.subscriptionOptions(undefined, { onData: ({ data }) => gatherer.add(data.kind) }));

  useEffect(() => {
    if (subscription.status === 'pending') {
      // What changed before the line stood, or while it was down, is told to nobody: ask again for what was read until now.
      askAgain(queryClient, { predicate: ({ meta }) => meta?.neverChanges !== true });
      setLive({ state: 'live', lostAt: null });
      return;
    }
    setLive((before) => (before.state === 'live' ? { state: 'reconnecting', lostAt: Date.now() } : before));
  }, [subscription.status, queryClient]);

  useReset(subscription.status === 'error', subscription.reset);

  return <LiveContext value={live}>{children}</LiveContext>;
}

/** The browser reconnects a broken line by itself, but gives up when the server answers with an error; then we try anew, ever more slowly. */
function useReset(failed: boolean, reset: () => void): void {
  const [retry] = useState(() => backoff({ initialMs: 1_000, maxMs: 15_000 }));
  const again = useEffectEvent(reset);
  useEffect(() => {
    if (!failed) return;
    const timer = setTimeout(() => again(), retry.nextMs());
    return () => clearTimeout(timer);
  }, [failed, retry]);
}
