'use client';

import { QueryClientProvider } from '@tanstack/react-query';
import { createTRPCClient, httpBatchStreamLink, httpSubscriptionLink, splitLink } from '@trpc/client';
import { type ReactNode, useState } from 'react';
import superjson from 'superjson';
import { paths } from '../lib/paths.ts';
import type { AppRouter } from '../server/root.ts';
import { LiveProvider } from './live.tsx';
import { createQueryClient } from './query-client.ts';
import { TRPCProvider } from './trpc-context.ts';

const URL_OF_API = '/api/trpc';

function createClient(slug: string) {
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        // An EventSource cannot send headers: the tenant goes with the connection's parameters.
        true: httpSubscriptionLink({ url: URL_OF_API, transformer: superjson, connectionParams: { tenant: slug } }),
        false: httpBatchStreamLink({ url: URL_OF_API, transformer: superjson, headers: { 'x-vrsky-tenant': slug }, maxItems: 10 }),
      }),
    ],
  });
}

function toSignIn(): void {
  window.location.assign(paths.signIn(window.location.pathname + window.location.search));
}

/** The API of one tenant for the pages below. Give it `key={slug}`: another tenant starts with an empty cache. */
export function TenantApi({ slug, children }: { slug: string; children: ReactNode }) {
  const [queryClient] = useState(() => createQueryClient(toSignIn));
  const [client] = useState(() => createClient(slug));
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={client} queryClient={queryClient}>
        <LiveProvider>{children}</LiveProvider>
      </TRPCProvider>
    </QueryClientProvider>
  );
}
