'use client';

import { createTRPCContext } from '@trpc/tanstack-react-query';
import type { AppRouter } from '../server/root.ts';

/** `useTRPC()` gives the typed routes: `useQuery(useTRPC().messages.list.queryOptions({…}))`; `useTRPCClient()` calls them without a cache. */
export const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>();
