import type { Metadata } from 'next';
import { HomeLink } from './HomeLink.tsx';
import { Problem } from './Problem.tsx';

export const metadata: Metadata = { title: 'Not found' };

export default function NotFound() {
  return (
    <main>
      <Problem title="Not found: there is nothing at this address" actions={<HomeLink />}>
        It may have been deleted, the address may be mistyped, or it belongs to an organisation you are not a member of.
      </Problem>
    </main>
  );
}
