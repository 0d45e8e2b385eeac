'use client';

import { Skeleton, Stack } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import dynamic from 'next/dynamic';
import { useCallback, useMemo } from 'react';
import { useTRPC } from '../../trpc/trpc-context.ts';
import type { ConnectorRole, ConnectorSummary } from './types.ts';

export { refusalWords } from './refusal-words.ts';
export type { SettingsError } from './settings/check-settings.ts';
export { partOfSchema, partOfSettings } from './settings/part-of.ts';
export type { Json } from './settings/to-form.ts';
export { fieldWords } from './settings/words-of.ts';

/** Comes when such a form is opened: the check of schemas is not needed for HTTP. */
export const SettingsForm = dynamic(() => import('./ui/form/SettingsForm.tsx').then((module) => module.SettingsForm), {
  ssr: false,
  loading: () => (
    <Stack gap="md" aria-hidden>
      <Skeleton height={52} />
      <Skeleton height={52} />
    </Stack>
  ),
});

/** Comes with the first part that can be tried out. */
export const TestConnection = dynamic(() => import('./ui/TestConnection.tsx').then((module) => module.TestConnection), {
  ssr: false,
  loading: () => <Skeleton height={30} width={150} />,
});

/** The connectors of the pool that can play a role, HTTP left out: it is always there. */
export function useConnectors(role: ConnectorRole): ConnectorSummary[] {
  const { data } = useQuery(useTRPC().connectors.list.queryOptions());
  return useMemo(() => (data?.connectors ?? []).filter((connector) => connector.name !== 'http' && connector.roles.includes(role)), [data, role]);
}

/** The settings schema of HTTP in one role, as the nodes offer it; null until it is known, and when no node of the pool has been seen. */
export function useHttpSchema(role: ConnectorRole): { schema: string | null; isPending: boolean } {
  const { data, isPending } = useQuery(useTRPC().connectors.get.queryOptions({ name: 'http' }));
  return { schema: data?.settingsSchemas[role] ?? null, isPending };
}

/** By name, what people call the connectors of the pool. */
export function useConnectorTitles(): Map<string, string> {
  const { data } = useQuery(useTRPC().connectors.list.queryOptions());
  return useMemo(() => new Map((data?.connectors ?? []).map((connector) => [connector.name, connector.title])), [data]);
}

/** What a new part of a connector begins with: its defaults. Throws when the connector cannot be read. */
export function useStartSettings(): (connector: string, role: ConnectorRole) => Promise<Record<string, never>> {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  return useCallback(
    async (connector, role) => {
      const { settingsSchemas } = await queryClient.fetchQuery(trpc.connectors.get.queryOptions({ name: connector }));
      const { startSettings } = await import('./settings/start-settings.ts');
      return startSettings(settingsSchemas[role]) as Record<string, never>;
    },
    [trpc, queryClient],
  );
}
