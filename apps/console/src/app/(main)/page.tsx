import { redirect } from 'next/navigation';
import { NoOrganisation } from '../../features/tenancy/ui/NoOrganisation.tsx';
import { paths } from '../../lib/paths.ts';
import { readSession } from './read-session.ts';

/** Home is the first organisation's overview. */
export default async function HomePage() {
  const session = await readSession();
  if (!session) redirect(paths.signIn());
  const [first] = session.memberships;
  if (first) redirect(paths.overview(first.slug));
  return <NoOrganisation email={session.user.email} />;
}
