'use client';

import { Anchor, Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconLock, IconPlus, IconShieldLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { useNeeds, useSlug } from '../../tenancy/api.tsx';
import type { SecretView } from '../types.ts';
import { CreateSecret } from './CreateSecret.tsx';
import { DeleteSecret } from './DeleteSecret.tsx';
import { EndOverlap } from './EndOverlap.tsx';
import { ReplaceSecret } from './ReplaceSecret.tsx';

export function SecretsPage() {
  const trpc = useTRPC();
  const needsRead = useNeeds('secret.read');
  const needsWrite = useNeeds('secret.write');
  const secrets = useQuery(trpc.secrets.list.queryOptions(undefined, { enabled: needsRead === null }));
  const [creating, create] = useDisclosure(false);
  const [open, setOpen] = useState<{ what: 'replace' | 'delete' | 'end'; secret: SecretView } | null>(null);

  const addButton = (
    <NeedsRole role={needsWrite}>
      {(disabled) => (
        <Button leftSection={<IconPlus size={15} aria-hidden />} disabled={disabled} onClick={create.open}>
          Add secret
        </Button>
      )}
    </NeedsRole>
  );
  return (
    <>
      <PageHeader
        title="Secrets"
        lead="Keys and passwords that connectors need. A value is never shown again, to anybody: it is stored encrypted, sealed to the nodes that need it, and told to the connector alone."
        actions={addButton}
      />
      <Body
        secrets={secrets.data}
        error={secrets.error}
        notAllowed={needsRead}
        needsWrite={needsWrite}
        onRetry={() => void secrets.refetch()}
        onReplace={(secret) => setOpen({ what: 'replace', secret })}
        onDelete={(secret) => setOpen({ what: 'delete', secret })}
        onEndOverlap={(secret) => setOpen({ what: 'end', secret })}
        action={addButton}
      />
      {creating && <CreateSecret onClose={create.close} />}
      {open?.what === 'replace' && <ReplaceSecret secret={open.secret} onClose={() => setOpen(null)} />}
      {open?.what === 'end' && <EndOverlap secret={open.secret} onClose={() => setOpen(null)} />}
      {open?.what === 'delete' && <DeleteSecret secret={open.secret} onClose={() => setOpen(null)} />}
    </>
  );
}

interface RowActions {
  needsWrite: string | null;
  onReplace: (secret: SecretView) => void;
  onDelete: (secret: SecretView) => void;
  onEndOverlap: (secret: SecretView) => void;
}

interface BodyProps extends RowActions {
  secrets: SecretView[] | undefined;
  error: unknown;
  notAllowed: string | null;
  onRetry: () => void;
  action: React.ReactNode;
}

const panel = { border: '1px solid var(--vr-line)', borderRadius: 'var(--mantine-radius-lg)', background: 'var(--vr-surface)' };

function Body({ secrets, error, notAllowed, onRetry, action, ...actions }: BodyProps) {
  if (notAllowed !== null)
    return (
      <div style={panel}>
        <EmptyState icon={IconLock} title={`Seeing the names of secrets needs the role ${notAllowed}`}>
          Ask an owner or admin of your organisation. Values are shown to nobody.
        </EmptyState>
      </div>
    );
  if (error) return <ErrorState error={toErrorView(error)} onRetry={onRetry} />;
  if (!secrets)
    return (
      <div style={panel}>
        <TableSkeleton rows={3} columns={6} />
      </div>
    );
  return (
    <div style={panel}>
      {secrets.length === 0 ? (
        <EmptyState icon={IconShieldLock} title="No secrets yet" action={action}>
          Add a key, a password or a webhook’s signing secret here once, with the hosts it may be sent to. Settings of sources and destinations refer to it by
          its name, so that it stands in no draft, no export and no log. Replace it here, and every connector that uses it has the new value seconds later.
        </EmptyState>
      ) : (
        <SecretTable secrets={secrets} {...actions} />
      )}
    </div>
  );
}

function SecretTable({ secrets, ...actions }: { secrets: SecretView[] } & RowActions) {
  const slug = useSlug();
  return <DataTable label="Secrets" columns={columns(slug, actions)} rows={secrets} rowKey={(secret) => secret.id} />;
}

function columns(slug: string, { needsWrite, onReplace, onDelete, onEndOverlap }: RowActions): Column<SecretView>[] {
  return [
    {
      id: 'name',
      header: 'Name',
      cell: (secret) => <strong style={{ fontWeight: 550 }}>{secret.name}</strong>,
      narrow: 'title',
      compare: (a, b) => a.name.localeCompare(b.name),
    },
    {
      id: 'fingerprint',
      header: 'Fingerprint',
      cell: ({ versions }) => <code style={{ fontSize: 13 }}>{versions[0]?.fingerprint}</code>,
      narrow: 'meta',
      narrowLabel: 'Fingerprint',
      width: 110,
    },
    {
      id: 'version',
      header: 'Version',
      cell: (secret) => <Versions secret={secret} needsWrite={needsWrite} onEndOverlap={onEndOverlap} />,
      narrow: 'meta',
      narrowLabel: 'Version',
      width: 190,
    },
    { id: 'hosts', header: 'Hosts', cell: ({ hosts }) => <Hosts hosts={hosts} />, narrow: 'full' },
    { id: 'used', header: 'Used by', cell: (secret) => <Uses slug={slug} secret={secret} />, narrow: 'full' },
    {
      id: 'changed',
      header: 'Changed',
      cell: (secret) => <RelativeTime at={secret.updatedAt} />,
      narrow: 'meta',
      narrowLabel: 'Changed',
      width: 110,
      compare: (a, b) => a.updatedAt.localeCompare(b.updatedAt),
    },
    {
      id: 'actions',
      header: 'Actions',
      align: 'right',
      narrow: 'side',
      width: 180,
      cell: (secret) => (
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <NeedsRole role={needsWrite}>
            {(disabled) => (
              <Button size="compact-xs" variant="default" disabled={disabled} onClick={() => onReplace(secret)} aria-label={`Replace ${secret.name}`}>
                Replace…
              </Button>
            )}
          </NeedsRole>
          <NeedsRole role={needsWrite}>
            {(disabled) => (
              <Button size="compact-xs" variant="default" disabled={disabled} onClick={() => onDelete(secret)} aria-label={`Delete ${secret.name}`}>
                Delete…
              </Button>
            )}
          </NeedsRole>
        </Group>
      ),
    },
  ];
}

function Versions({ secret, needsWrite, onEndOverlap }: { secret: SecretView } & Pick<RowActions, 'needsWrite' | 'onEndOverlap'>) {
  const [current, ...older] = secret.versions;
  const last = older[0];
  return (
    <>
      {current?.number}
      {last?.validUntil && (
        <span style={{ color: 'var(--vr-dim)' }}>
          {' '}
          · {last.number} too until <RelativeTime at={last.validUntil} />{' '}
          <NeedsRole role={needsWrite}>
            {(disabled) => (
              <Button size="compact-xs" variant="default" disabled={disabled} onClick={() => onEndOverlap(secret)} aria-label={`End overlap of ${secret.name}`}>
                End overlap…
              </Button>
            )}
          </NeedsRole>
        </span>
      )}
    </>
  );
}

const HOSTS_SHOWN = 3;

function Hosts({ hosts }: { hosts: string[] }) {
  if (hosts.length === 0) return <span style={{ color: 'var(--vr-dim)' }}>none: only compared with</span>;
  const more = hosts.length - HOSTS_SHOWN;
  return (
    <span style={{ overflowWrap: 'anywhere' }}>
      {hosts.slice(0, HOSTS_SHOWN).join(', ')}
      {more > 0 && ` and ${more} more`}
    </span>
  );
}

function Uses({ slug, secret: { usedBy } }: { slug: string; secret: SecretView }) {
  if (usedBy.length === 0) return <span style={{ color: 'var(--vr-dim)' }}>nothing</span>;
  return (
    <>
      {usedBy.map(({ pipelineId, pipelineName, published }, index) => (
        <span key={pipelineId}>
          {index > 0 && ', '}
          <Anchor component={Link} href={paths.pipeline(slug, pipelineId)} size="sm" underline="always">
            {pipelineName}
          </Anchor>
          {!published && <span style={{ color: 'var(--vr-dim)' }}> (draft)</span>}
        </span>
      ))}
    </>
  );
}
