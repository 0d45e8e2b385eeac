'use client';

import { IconPlugConnected } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatNumber } from '../../../ui/format.ts';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel } from '../../../ui/Panel.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import type { ConnectorSummary, ConnectorsView } from '../types.ts';
import classes from './Connectors.module.css';
import { roleWords } from './connector-words.ts';
import { processSummary } from './process-summary.ts';

/** What pipelines can receive from and deliver to: the connectors that the nodes offer. */
export function ConnectorsPage() {
  const view = useQuery(useTRPC().connectors.list.queryOptions());
  return (
    <>
      <PageHeader title="Connectors" lead="What pipelines receive from and deliver to: the programs that your nodes have for it, and whether they run." />
      {view.data ? (
        <Loaded view={view.data} />
      ) : view.error ? (
        <ErrorState error={toErrorView(view.error)} onRetry={() => void view.refetch()} />
      ) : (
        <div className={classes.box}>
          <TableSkeleton rows={4} columns={6} />
        </div>
      )}
    </>
  );
}

function Loaded({ view }: { view: ConnectorsView }) {
  const slug = useSlug();
  const beyondHttp = view.connectors.some((connector) => connector.name !== 'http');
  return (
    <div className={classes.sections}>
      {view.connectors.length > 0 && (
        <div className={classes.box}>
          <DataTable
            label="Connectors"
            plainHead
            columns={columns}
            rows={view.connectors}
            rowKey={(connector) => connector.name}
            rowHref={(connector) => paths.connector(slug, connector.name)}
          />
        </div>
      )}
      {view.connectors.length === 0 && view.liveNodes === 0 ? (
        <EmptyState icon={IconPlugConnected} title="No node is live">
          Nodes say which connectors they have. As soon as one is back, its connectors show here; the Nodes page says when each was last heard of.
        </EmptyState>
      ) : (
        !beyondHttp && <HowToGetOne alone={view.connectors.length === 0} />
      )}
      {view.problems.length > 0 && <Problems problems={view.problems} />}
    </div>
  );
}

function HowToGetOne({ alone }: { alone: boolean }) {
  return (
    <EmptyState icon={IconPlugConnected} title={alone ? 'No connectors yet' : 'Only HTTP so far'} compact={!alone}>
      A connector lets pipelines reach more than HTTP: files, schedules, queues, your own systems. It is a program, in Go or TypeScript, in the connector
      directory of a node; once it is there, it shows here within seconds. <code>vrsky init my-connector --template connector-go</code> starts one, and
      docs/connectors.md goes through it.
    </EmptyState>
  );
}

function Problems({ problems }: { problems: ConnectorsView['problems'] }) {
  return (
    <Panel title="Files that are no connector" padded={false}>
      <DataTable
        label="Files that are no connector"
        plainHead
        keys={false}
        columns={problemColumns}
        rows={problems}
        rowKey={(problem) => `${problem.nodeId} ${problem.file}`}
      />
    </Panel>
  );
}

const problemColumns: Column<ConnectorsView['problems'][number]>[] = [
  { id: 'file', header: 'File', cell: (problem) => <span className="mono">{problem.file}</span>, width: '24%', narrow: 'title' },
  { id: 'node', header: 'Node', cell: (problem) => problem.nodeName, width: 140, narrow: 'side' },
  { id: 'reason', header: 'Why not', cell: (problem) => problem.reason, narrow: 'full' },
];

const columns: Column<ConnectorSummary>[] = [
  { id: 'title', header: 'Connector', cell: (connector) => connector.title, width: '15%', narrow: 'title', compare: (a, b) => a.title.localeCompare(b.title) },
  {
    id: 'description',
    header: 'What it does',
    cell: (connector) => (
      <span className={classes.dim} title={connector.description}>
        {connector.description || 'It says nothing about itself.'}
      </span>
    ),
    cut: true,
    width: '34%',
    narrow: 'full',
  },
  { id: 'roles', header: 'Used as', cell: (connector) => roleWords(connector.roles), width: 180, narrow: 'meta' },
  { id: 'version', header: 'Version', cell: (connector) => <Version connector={connector} />, width: 90, narrow: 'meta', narrowLabel: 'Version' },
  { id: 'processes', header: 'Processes', cell: (connector) => <Processes connector={connector} />, narrow: 'side' },
  {
    id: 'pipelines',
    header: 'Pipelines',
    cell: (connector) => formatNumber(connector.pipelines),
    align: 'right',
    width: 84,
    narrow: 'meta',
    narrowLabel: 'Pipelines',
    compare: (a, b) => a.pipelines - b.pipelines,
  },
];

function Version({ connector }: { connector: ConnectorSummary }) {
  const [newest, ...older] = connector.releases;
  return (
    <span title={older.length > 0 ? `Also: ${older.map((release) => release.version).join(', ')}` : undefined}>
      {newest?.version}
      {older.length > 0 && <span className={classes.dim}> +{older.length}</span>}
    </span>
  );
}

function Processes({ connector }: { connector: ConnectorSummary }) {
  const summary = processSummary(connector.processes);
  if (!connector.live) return <StateBadge state="silent" word="Nodes away" />;
  if (!summary) return <span className={classes.dim}>None for you</span>;
  return (
    <span title={summary.reason ?? undefined} className={classes.processes}>
      <StateBadge state={summary.state} word={summary.word} />
      {summary.reason && <span className={classes.dim}>{summary.reason}</span>}
    </span>
  );
}
