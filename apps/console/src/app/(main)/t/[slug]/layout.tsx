import { notFound, redirect } from 'next/navigation';
import type { ReactNode } from 'react';
import { SessionProvider } from '../../../../features/tenancy/api.tsx';
import { toSessionView } from '../../../../features/tenancy/server/session-view.ts';
import { Shell } from '../../../../features/tenancy/ui/Shell.tsx';
import { paths } from '../../../../lib/paths.ts';
import { TenantApi } from '../../../../trpc/client.tsx';
import { readSession } from '../../read-session.ts';

/** Lets members in and nobody else: to others the tenant does not exist. */
export default async function TenantLayout({ children, params }: { children: ReactNode; params: Promise<{ slug: string }> }) {
  const { slug } = await params;
  const session = await readSession();
  if (!session) redirect(paths.signIn(paths.overview(slug)));
  const membership = session.memberships.find((item) => item.slug === slug);
  if (!membership) notFound();
  return (
    <SessionProvider session={toSessionView(session, membership)}>
      <TenantApi key={slug} slug={slug}>
        <Shell>{children}</Shell>
      </TenantApi>
    </SessionProvider>
  );
}
