'use client';

import { useQuery } from '@tanstack/react-query';
import { useTRPC } from '../../trpc/trpc-context.ts';
import { useNeeds } from '../tenancy/api.tsx';

/** The names of the organisation's secrets, to choose from; undefined while they come, or when the person may not see them. */
export function useSecretNames(): string[] | undefined {
  const needsRead = useNeeds('secret.read');
  const { data } = useQuery(useTRPC().secrets.list.queryOptions(undefined, { enabled: needsRead === null }));
  return data?.map(({ name }) => name);
}
