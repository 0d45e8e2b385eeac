'use client';

import { IconAlertOctagon, IconServer2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { limits } from '@vrsky/contracts/limits';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatBytes, formatMillis, formatNumber } from '../../../ui/format.ts';
import { IdText } from '../../../ui/IdText.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { SandboxLayers } from '../../../ui/SandboxLayers.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { useSlug } from '../../tenancy/api.tsx';
import type { NodeView } from '../types.ts';
import { configurationOf } from './configuration.ts';
import classes from './NodesPage.module.css';
import { ProtectionPanel } from './ProtectionPanel.tsx';

export function NodesPage() {
  const nodes = useQuery(useTRPC().nodes.list.queryOptions());
  return (
    <>
      <PageHeader title="Nodes" lead="The machines that run your pipelines: whether they are there, and whether they run what you published." />
      {nodes.data ? (
        nodes.data.length === 0 ? (
          <NoNodes />
        ) : (
          <div className={classes.nodes}>
            {nodes.data.map((node) => (
              <NodePanel key={node.id} node={node} />
            ))}
            <ProtectionPanel nodes={nodes.data} />
          </div>
        )
      ) : nodes.error ? (
        <ErrorState error={toErrorView(nodes.error)} onRetry={() => void nodes.refetch()} />
      ) : (
        <PanelSkeleton height={340} />
      )}
    </>
  );
}

function NodePanel({ node }: { node: NodeView }) {
  return (
    <Panel title={node.name} aside={<StateBadge state={node.liveness} variant="pill" />}>
      {node.rejected && (
        <div className={classes.rejected} role="alert">
          <IconAlertOctagon size={18} aria-hidden />
          <div>
            <p>
              <strong>It refused the newest configuration and keeps running the one before.</strong>
            </p>
            <p>{node.rejected.reason}</p>
            <p className={classes.dim}>
              <span className="mono">{node.rejected.code}</span>, <RelativeTime at={node.rejected.at} />
            </p>
          </div>
        </div>
      )}
      <dl className={classes.summary}>
        <Entry name="Last seen">{node.lastSeenAt ? <LeaseAge at={node.lastSeenAt} /> : 'never'}</Entry>
        <Entry name="Configuration">
          <Configuration node={node} />
        </Entry>
        <Entry name="Version">{node.version}</Entry>
        <Entry name="Pool">{node.pool}</Entry>
        <Entry name="Running since">{node.startedAt ? <RelativeTime at={node.startedAt} /> : '–'}</Entry>
        <Entry name="Enrolled">
          <RelativeTime at={node.enrolledAt} />
        </Entry>
        <Entry name="Node id">
          <IdText value={node.id} what="node id" />
        </Entry>
      </dl>
      {node.liveness !== 'live' && node.lastSeenAt && (
        <p className={classes.asOf}>
          What follows is as of its last sign of life, <RelativeTime at={node.lastSeenAt} />.
        </p>
      )}
      <section className={classes.section}>
        <h3>What it runs for you</h3>
        {node.pipelines.length === 0 ? (
          <p style={{ margin: 0 }}>Nothing yet: publish a pipeline and it appears here.</p>
        ) : (
          <div className={classes.box}>
            <PipelineTable node={node} />
          </div>
        )}
      </section>
      <section className={classes.section}>
        <h3>Connectors</h3>
        {node.connectors.length === 0 ? (
          <p style={{ margin: 0 }}>None reported.</p>
        ) : (
          <div className={classes.box}>
            <DataTable
              label={`Connectors of ${node.name}`}
              plainHead
              keys={false}
              columns={connectorColumns(node.startedAt)}
              rows={node.connectors}
              rowKey={(connector) => `${connector.name} ${connector.tenantId} ${connector.digest} ${connector.pid}`}
            />
          </div>
        )}
      </section>
      <Sandbox node={node} />
    </Panel>
  );
}

/** Open when something is missing: that is when somebody reads it. */
function Sandbox({ node }: { node: NodeView }) {
  const { sandbox } = node;
  if (sandbox.length === 0) return null;
  const available = sandbox.filter((layer) => layer.available).length;
  return (
    <section className={classes.section}>
      <h3>Sandbox around connectors</h3>
      <details open={available < sandbox.length}>
        <summary>
          {available === sandbox.length
            ? `All ${formatNumber(sandbox.length)} layers are available`
            : `${formatNumber(available)} of ${formatNumber(sandbox.length)} layers are available`}
        </summary>
        <SandboxLayers layers={sandbox} />
      </details>
    </section>
  );
}

function Entry({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** How old the last sign of life is, next to what it may be. */
function LeaseAge({ at }: { at: string }) {
  const ageMs = Math.max(0, useNow() - Date.parse(at));
  return (
    <span title={`Live up to ${formatMillis(limits.leaseSilentMs)}, silent up to ${formatMillis(limits.leaseGoneMs)}, then gone`}>
      <RelativeTime at={at} />
      {ageMs > limits.leaseGoneMs && <span className={classes.dim}> (gone after {formatMillis(limits.leaseGoneMs)})</span>}
    </span>
  );
}

function Configuration({ node }: { node: NodeView }) {
  const configuration = configurationOf(node);
  return (
    <span style={{ display: 'inline-flex', gap: 8 }}>
      {configuration.state && <StateBadge state={configuration.state} />}
      <span className="tabular">{configuration.words}</span>
    </span>
  );
}

function PipelineTable({ node }: { node: NodeView }) {
  const slug = useSlug();
  return (
    <DataTable
      label={`Pipelines on ${node.name}`}
      plainHead
      keys={false}
      rows={node.pipelines}
      rowKey={(pipeline) => pipeline.pipelineId}
      rowHref={(pipeline) => paths.pipeline(slug, pipeline.pipelineId)}
      columns={pipelineColumns}
    />
  );
}

const pipelineColumns: Column<NodeView['pipelines'][number]>[] = [
  { id: 'name', header: 'Pipeline', cell: (pipeline) => pipeline.name, width: '22%', narrow: 'title' },
  { id: 'state', header: 'State', cell: (pipeline) => <StateBadge state={pipeline.state} />, narrow: 'side', width: 140 },
  { id: 'revision', header: 'Revision', cell: (pipeline) => formatNumber(pipeline.revision), narrow: 'meta', narrowLabel: 'Revision', width: 100 },
  {
    id: 'reason',
    header: 'Reason',
    cell: (pipeline) => pipeline.reason && <span style={{ color: 'var(--vr-bad-fg)' }}>{pipeline.reason}</span>,
    narrow: 'full',
  },
];

function connectorColumns(startedAt: string | null): Column<NodeView['connectors'][number]>[] {
  return [
    {
      id: 'name',
      header: 'Connector',
      cell: (connector) => `${connector.name} ${connector.version}${connector.tenantId === null ? '' : ', for you alone'}`,
      width: '22%',
      narrow: 'title',
    },
    { id: 'state', header: 'State', cell: (connector) => <StateBadge state={connector.state} />, narrow: 'side', width: 140 },
    { id: 'reason', header: 'Reason', cell: (connector) => connector.reason, narrow: 'full' },
    {
      id: 'restarts',
      header: 'Restarts',
      cell: (connector) => formatNumber(connector.restarts),
      align: 'right',
      narrow: 'meta',
      narrowLabel: 'Restarts',
      width: 90,
    },
    {
      id: 'cpu',
      header: 'CPU time',
      cell: (connector) => <CpuTime seconds={connector.cpuSeconds} startedAt={startedAt} />,
      align: 'right',
      narrow: 'meta',
      narrowLabel: 'CPU',
      width: 210,
    },
    { id: 'memory', header: 'Memory', cell: (connector) => formatBytes(connector.rssBytes), align: 'right', narrow: 'meta', narrowLabel: 'Memory', width: 110 },
    { id: 'pid', header: 'Process', cell: (connector) => connector.pid ?? '–', align: 'right', narrow: 'hide', width: 90 },
  ];
}

function CpuTime({ seconds, startedAt }: { seconds: number; startedAt: string | null }) {
  const now = useNow();
  const upSeconds = startedAt === null ? 0 : (now - Date.parse(startedAt)) / 1_000;
  return (
    <span style={{ whiteSpace: 'nowrap' }}>
      {formatMillis(seconds * 1_000)}
      {upSeconds > 60 && <span className={classes.dim}> ({((seconds / upSeconds) * 100).toFixed(1)} % of one core)</span>}
    </span>
  );
}

function NoNodes() {
  return (
    <EmptyState icon={IconServer2} title="No nodes yet">
      A node receives your messages, runs your steps and delivers. The platform’s operator adds one with a join token; it shows here within seconds.
    </EmptyState>
  );
}
