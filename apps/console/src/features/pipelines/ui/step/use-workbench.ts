'use client';

import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useTRPC } from '../../../../trpc/trpc-context.ts';
import type { Calls } from '../../workbench/calls.ts';
import { openWorkbench, type Workbench } from '../../workbench/clients.ts';
import type { WorkerClient, WorkerState } from '../../workbench/worker-client.ts';

/** The page's workers, from the first effect on. */
export function useWorkbench(): Workbench | null {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [workbench, setWorkbench] = useState<Workbench | null>(null);
  useEffect(() => {
    const opened = openWorkbench(() => queryClient.fetchQuery(trpc.pipelines.stepFiles.queryOptions(undefined, { staleTime: 60_000 })));
    setWorkbench(opened.workbench);
    return opened.release;
  }, [queryClient, trpc]);
  return workbench;
}

const waiting: WorkerState = { kind: 'waiting' };
const nothing = () => () => undefined;

export function useWorkerState<C extends Calls>(client: WorkerClient<C> | undefined): WorkerState {
  return useSyncExternalStore(
    client?.onChange ?? nothing,
    () => client?.state() ?? waiting,
    () => waiting,
  );
}
