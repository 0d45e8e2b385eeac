'use client';

import { IconRoute } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatCount, formatNumber } from '../../../ui/format.ts';
import { fillMinutes, sumOf, totalOf } from '../../../ui/minutes.ts';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { Sparkline } from '../../../ui/Sparkline.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { useSlug } from '../../tenancy/api.tsx';
import type { PipelineSummary } from '../types.ts';
import { NewPipelineButton } from './NewPipelineButton.tsx';

/** Every pipeline of the tenant with what it does right now. */
export function PipelinesPage() {
  const trpc = useTRPC();
  const slug = useSlug();
  const query = useQuery(trpc.pipelines.list.queryOptions());
  return (
    <>
      <PageHeader
        title="Pipelines"
        lead="A source receives messages, steps convert and filter them, destinations deliver them."
        actions={<NewPipelineButton />}
      />
      {query.isError && !query.data ? (
        <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
      ) : (
        <Panel title="All pipelines" aside={query.data && formatCount(query.data.length, 'pipeline')} padded={false}>
          {!query.data ? (
            <TableSkeleton columns={5} rows={4} />
          ) : query.data.length === 0 ? (
            <EmptyState icon={IconRoute} title="No pipelines yet" action={<NewPipelineButton />}>
              A pipeline gives you a URL at once. What is sent to it is stored first, then converted, filtered and delivered, with every step on record.
            </EmptyState>
          ) : (
            <PipelineTable rows={query.data} slug={slug} />
          )}
        </Panel>
      )}
    </>
  );
}

function PipelineTable({ rows, slug }: { rows: PipelineSummary[]; slug: string }) {
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const columns: Column<PipelineSummary>[] = [
    { id: 'name', header: 'Name', cell: (row) => row.name, compare: (a, b) => a.name.localeCompare(b.name) },
    { id: 'state', header: 'State', cell: (row) => <StateBadge state={row.state} />, width: 150, narrow: 'side' },
    {
      id: 'rate',
      header: 'Messages, last hour',
      width: 220,
      cell: (row) => {
        const filled = fillMinutes(row.perMinute, minute, 60);
        const total = sumOf(filled);
        return (
          <span style={{ display: 'inline-flex', alignItems: 'center', gap: 12 }}>
            <Sparkline values={filled.map(totalOf)} label={`${formatCount(total, 'message')} in the last hour`} />
            <span className="tabular">{formatNumber(total)}</span>
          </span>
        );
      },
      compare: (a, b) => sumOf(a.perMinute) - sumOf(b.perMinute),
    },
    {
      id: 'shape',
      header: 'Parts',
      cell: (row) => `${formatCount(row.shape.steps, 'step')}, ${formatCount(row.shape.destinations, 'destination')}`,
      width: 190,
    },
    {
      id: 'revision',
      header: 'Revision',
      width: 170,
      narrowLabel: 'Revision',
      cell: (row) =>
        row.publishedRevision === null
          ? 'Not published'
          : row.hasUnpublishedChanges
            ? `${row.publishedRevision}, draft changed`
            : String(row.publishedRevision),
    },
    { id: 'last', header: 'Last message', cell: (row) => (row.lastMessageAt ? <RelativeTime at={row.lastMessageAt} /> : 'None yet'), width: 130 },
  ];
  return <DataTable label="Pipelines" columns={columns} rows={rows} rowKey={(row) => row.id} rowHref={(row) => paths.pipeline(slug, row.id)} />;
}
