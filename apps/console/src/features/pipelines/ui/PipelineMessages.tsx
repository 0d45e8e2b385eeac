'use client';

import { Anchor } from '@mantine/core';
import { IconInbox } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatBytes, formatMillis } from '../../../ui/format.ts';
import { Panel } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { MessageId } from '../../messages/api.tsx';
import type { MessageSummary } from '../../messages/types.ts';
import { useSlug } from '../../tenancy/api.tsx';

const NEWEST = 10;

const columns: Column<MessageSummary>[] = [
  { id: 'id', header: 'Message', cell: (row) => <MessageId message={row} />, width: 180 },
  { id: 'state', header: 'State', cell: (row) => <StateBadge state={row.state} />, width: 150, narrow: 'side' },
  { id: 'reason', header: 'Reason', cell: (row) => row.reason ?? '', narrow: 'full' },
  { id: 'bytes', header: 'Size', cell: (row) => formatBytes(row.bytes), width: 90, align: 'right' },
  { id: 'duration', header: 'Took', cell: (row) => (row.durationMs === null ? '' : formatMillis(row.durationMs)), width: 90, align: 'right' },
  { id: 'at', header: 'Received', cell: (row) => <RelativeTime at={row.receivedAt} />, width: 130, align: 'right' },
];

/** What came through lately; each leads to its trail. */
export function PipelineMessages({ pipelineId }: { pipelineId: string }) {
  const trpc = useTRPC();
  const slug = useSlug();
  const query = useQuery(trpc.messages.list.queryOptions({ pipelineId, limit: NEWEST }));
  const more = (
    <Anchor component={Link} href={paths.messages(slug, { pipelineId })} size="sm">
      All messages
    </Anchor>
  );
  return (
    <Panel title="Newest messages" aside={more} padded={false}>
      {query.isError && !query.data ? (
        <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
      ) : !query.data ? (
        <TableSkeleton columns={6} rows={3} />
      ) : query.data.items.length === 0 ? (
        <EmptyState icon={IconInbox} title="No messages yet" compact>
          What the source receives shows here within a second.
        </EmptyState>
      ) : (
        <DataTable
          label="Newest messages"
          columns={columns}
          rows={query.data.items}
          rowKey={(row) => row.id}
          rowHref={(row) => paths.message(slug, row.id)}
          plainHead
        />
      )}
    </Panel>
  );
}
