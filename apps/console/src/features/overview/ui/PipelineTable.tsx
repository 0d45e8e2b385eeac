'use client';

import { paths } from '../../../lib/paths.ts';
import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { formatCount, formatNumber } from '../../../ui/format.ts';
import { fillMinutes, sumOf, totalOf } from '../../../ui/minutes.ts';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { Sparkline } from '../../../ui/Sparkline.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useNow } from '../../../ui/use-now.ts';
import type { NodeView } from '../../nodes/types.ts';
import type { PipelineSummary } from '../../pipelines/types.ts';
import { useSlug } from '../../tenancy/api.tsx';

/** The pipelines with their state, on how many nodes, and the last hour at a glance. */
export function PipelineTable({ pipelines, nodes }: { pipelines: PipelineSummary[]; nodes: NodeView[] }) {
  const slug = useSlug();
  return (
    <DataTable
      label="Pipelines"
      plainHead
      keys={false}
      columns={columns(nodes)}
      rows={pipelines}
      rowKey={(pipeline) => pipeline.id}
      rowHref={(pipeline) => paths.pipeline(slug, pipeline.id)}
    />
  );
}

function columns(nodes: NodeView[]): Column<PipelineSummary>[] {
  return [
    {
      id: 'name',
      header: 'Pipeline',
      cell: (pipeline) => <strong style={{ fontWeight: 550 }}>{pipeline.name}</strong>,
      narrow: 'title',
      compare: (a, b) => a.name.localeCompare(b.name),
    },
    { id: 'state', header: 'State', cell: (pipeline) => <StateBadge state={pipeline.state} />, narrow: 'side', width: 140 },
    { id: 'nodes', header: 'On nodes', cell: (pipeline) => <OnNodes pipeline={pipeline} nodes={nodes} />, narrow: 'meta', narrowLabel: 'On nodes', width: 140 },
    {
      id: 'revision',
      header: 'Revision',
      cell: (pipeline) => (
        <>
          {pipeline.publishedRevision ?? '–'}
          {pipeline.hasUnpublishedChanges && <span style={{ color: 'var(--vr-dim)' }}> · changed since</span>}
        </>
      ),
      narrow: 'meta',
      narrowLabel: 'Revision',
      width: 160,
    },
    {
      id: 'last',
      header: 'Last message',
      cell: (pipeline) => (pipeline.lastMessageAt ? <RelativeTime at={pipeline.lastMessageAt} /> : 'none yet'),
      narrow: 'meta',
      width: 130,
    },
    { id: 'hour', header: 'Messages, last hour', cell: (pipeline) => <LastHour pipeline={pipeline} />, narrow: 'hide', align: 'right', width: 220 },
  ];
}

function OnNodes({ pipeline, nodes }: { pipeline: PipelineSummary; nodes: NodeView[] }) {
  if (pipeline.publishedRevision === null) return '–';
  const running = nodes.filter(
    (node) =>
      node.liveness === 'live' &&
      node.pipelines.some((item) => item.pipelineId === pipeline.id && item.state === 'running' && item.revision === pipeline.publishedRevision),
  );
  return (
    <span className="tabular" title={running.map((node) => node.name).join(', ') || undefined}>
      {running.length} of {nodes.length}
    </span>
  );
}

function LastHour({ pipeline }: { pipeline: PipelineSummary }) {
  const minute = Math.floor(useNow() / 60_000) * 60_000;
  const points = fillMinutes(pipeline.perMinute, minute);
  const sum = sumOf(points);
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 12 }}>
      <span className="tabular">{formatNumber(sum)}</span>
      <Sparkline values={points.map(totalOf)} label={`${formatCount(sum, 'message')} in the last hour`} />
    </span>
  );
}
