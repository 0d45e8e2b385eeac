'use client';

import { Button } from '@mantine/core';
import { IconBuilding } from '@tabler/icons-react';
import { paths } from '../../../lib/paths.ts';
import { EmptyState } from '../../../ui/EmptyState.tsx';

export function NoOrganisation({ email }: { email: string }) {
  return (
    <main style={{ display: 'grid', placeItems: 'center', minHeight: '100dvh' }}>
      <EmptyState
        icon={IconBuilding}
        title="You belong to no organisation yet"
        action={
          <Button
            variant="default"
            onClick={async () => {
              const auth = await import('next-auth/react');
              await auth.signOut({ callbackUrl: paths.signIn() });
            }}
          >
            Sign out
          </Button>
        }
      >
        Ask an owner or admin of your organisation to add {email}; then reload this page.
      </EmptyState>
    </main>
  );
}
