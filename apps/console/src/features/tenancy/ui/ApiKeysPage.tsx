'use client';

import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKey, IconLock, IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { useNeeds } from '../api.tsx';
import type { ApiKeyView } from '../types.ts';
import { CreateApiKey } from './CreateApiKey.tsx';
import { RevokeApiKey } from './RevokeApiKey.tsx';

export function ApiKeysPage() {
  const trpc = useTRPC();
  const needsRead = useNeeds('apikey.read');
  const needsWrite = useNeeds('apikey.write');
  const keys = useQuery(trpc.apiKeys.list.queryOptions(undefined, { enabled: needsRead === null }));
  const [creating, create] = useDisclosure(false);
  const [revoking, setRevoking] = useState<ApiKeyView | null>(null);

  const createButton = (
    <NeedsRole role={needsWrite}>
      {(disabled) => (
        <Button leftSection={<IconPlus size={15} aria-hidden />} disabled={disabled} onClick={create.open}>
          Create API key
        </Button>
      )}
    </NeedsRole>
  );
  return (
    <>
      <PageHeader
        title="API keys"
        lead="For programs that build, run and watch pipelines over the REST API. A key acts as a developer or an admin of this organisation."
        actions={createButton}
      />
      <Body
        keys={keys.data}
        error={keys.error}
        notAllowed={needsRead}
        canRevoke={needsWrite === null}
        onRetry={() => void keys.refetch()}
        onRevoke={setRevoking}
        action={createButton}
      />
      {creating && <CreateApiKey onClose={create.close} />}
      {revoking && <RevokeApiKey apiKey={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

interface BodyProps {
  keys: ApiKeyView[] | undefined;
  error: unknown;
  notAllowed: string | null;
  canRevoke: boolean;
  onRetry: () => void;
  onRevoke: (key: ApiKeyView) => void;
  action: React.ReactNode;
}

function Body({ keys, error, notAllowed, canRevoke, onRetry, onRevoke, action }: BodyProps) {
  const panel = { border: '1px solid var(--vr-line)', borderRadius: 'var(--mantine-radius-lg)', background: 'var(--vr-surface)' };
  if (notAllowed !== null) {
    return (
      <div style={panel}>
        <EmptyState icon={IconLock} title={`Seeing API keys needs the role ${notAllowed}`}>
          Ask an owner or admin of your organisation, who can also make a key for you.
        </EmptyState>
      </div>
    );
  }
  if (error) return <ErrorState error={toErrorView(error)} onRetry={onRetry} />;
  if (!keys) {
    return (
      <div style={panel}>
        <TableSkeleton rows={3} columns={5} />
      </div>
    );
  }
  return (
    <div style={panel}>
      {keys.length === 0 ? (
        <EmptyState icon={IconKey} title="No API keys yet" action={action}>
          A program sends its key as <code>Authorization: Bearer …</code> and can then do what a developer can: create and publish pipelines, read their state,
          list messages and send dead letters again.
        </EmptyState>
      ) : (
        <DataTable label="API keys" columns={columns(canRevoke, onRevoke)} rows={keys} rowKey={(key) => key.id} />
      )}
    </div>
  );
}

function columns(canRevoke: boolean, onRevoke: (key: ApiKeyView) => void): Column<ApiKeyView>[] {
  return [
    {
      id: 'name',
      header: 'Name',
      cell: (key) => <strong style={{ fontWeight: 550 }}>{key.name}</strong>,
      narrow: 'title',
      compare: (a, b) => a.name.localeCompare(b.name),
    },
    { id: 'role', header: 'Acts as', cell: (key) => key.role, narrow: 'meta', narrowLabel: 'Acts as', width: 110 },
    { id: 'prefix', header: 'Begins with', cell: (key) => <code style={{ fontSize: 13 }}>{key.prefix}…</code>, narrow: 'full' },
    {
      id: 'created',
      header: 'Created',
      cell: (key) => <RelativeTime at={key.createdAt} />,
      narrow: 'meta',
      narrowLabel: 'Created',
      compare: (a, b) => a.createdAt.localeCompare(b.createdAt),
    },
    {
      id: 'used',
      header: 'Last used',
      cell: (key) => (key.lastUsedAt ? <RelativeTime at={key.lastUsedAt} /> : 'never'),
      narrow: 'meta',
      narrowLabel: 'Used',
      compare: (a, b) => (a.lastUsedAt ?? '').localeCompare(b.lastUsedAt ?? ''),
    },
    {
      id: 'actions',
      header: 'Actions',
      align: 'right',
      narrow: 'side',
      width: 120,
      cell: (key) => (
        <NeedsRole role={canRevoke ? null : 'admin'}>
          {(disabled) => (
            <Button size="compact-xs" variant="default" disabled={disabled} onClick={() => onRevoke(key)} aria-label={`Revoke ${key.name}`}>
              Revoke…
            </Button>
          )}
        </NeedsRole>
      ),
    },
  ];
}
