'use client';

import { Skeleton } from '@mantine/core';
import { IconServer } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { Panel } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import type { PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';

/** The tick of each node: sent, received, applied, or why not. */
export function RolloutPanel({ pipeline }: { pipeline: PipelineDetail }) {
  const trpc = useTRPC();
  const query = useQuery(trpc.pipelines.rollout.queryOptions({ id: pipeline.id }));
  const title = pipeline.publishedRevision === null ? 'Nodes' : `Revision ${pipeline.publishedRevision} on the nodes`;
  return (
    <Panel title={title}>
      {pipeline.publishedRevision === null ? (
        <p className={classes.help}>Not published yet. After publishing, each node shows here whether it runs the revision.</p>
      ) : query.isError && !query.data ? (
        <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
      ) : !query.data ? (
        <Skeleton height={36} />
      ) : query.data.length === 0 ? (
        <EmptyState icon={IconServer} title="No node serves this tenant" compact>
          The revision waits in the control plane and is taken over as soon as a node joins.
        </EmptyState>
      ) : (
        <ul className={classes.rollout} aria-live="polite">
          {query.data.map((node) => (
            <li key={node.nodeId}>
              <span className={classes.nodeName}>{node.nodeName}</span>
              <StateBadge state={node.state} />
              {node.at && (
                <span className={classes.dim}>
                  <RelativeTime at={node.at} />
                </span>
              )}
              {node.reason && <p className={classes.nodeReason}>{node.reason}</p>}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
