'use client';

import { useQuery } from '@tanstack/react-query';
import dynamic from 'next/dynamic';
import { useTRPC } from '../../trpc/trpc-context.ts';
import { useNeeds } from '../tenancy/api.tsx';

/** The dialog that adds a secret; comes when somebody opens it. */
export const CreateSecret = dynamic(() => import('./ui/CreateSecret.tsx').then((module) => module.CreateSecret), { ssr: false });

/** The names of the organisation's secrets, to choose from; undefined while they come, or when the person may not see them. */
export function useSecretNames(): string[] | undefined {
  const needsRead = useNeeds('secret.read');
  const { data } = useQuery(useTRPC().secrets.list.queryOptions(undefined, { enabled: needsRead === null }));
  return data?.map(({ name }) => name);
}
