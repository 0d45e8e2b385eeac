'use client';

import { Anchor, Button, Skeleton } from '@mantine/core';
import { IconArrowsSplit2, IconMessages, IconServer2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatCount } from '../../../ui/format.ts';
import { MinuteChart } from '../../../ui/MinuteChart.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { messageColumns } from '../../messages/api.tsx';
import { useSession, useSlug } from '../../tenancy/api.tsx';
import type { OverviewView } from '../types.ts';
import classes from './OverviewPage.module.css';
import { PipelineTable } from './PipelineTable.tsx';
import { VerdictPanel } from './VerdictPanel.tsx';

/** Is it all right, what changed, what next. */
export function OverviewPage() {
  const { tenant } = useSession();
  const overview = useQuery(useTRPC().overview.get.queryOptions());
  return (
    <>
      <PageHeader title="Overview" lead={`What runs for ${tenant.name}, live.`} />
      {overview.data ? (
        <Loaded view={overview.data} />
      ) : overview.error ? (
        <ErrorState error={toErrorView(overview.error)} onRetry={() => void overview.refetch()} />
      ) : (
        <OverviewSkeleton />
      )}
    </>
  );
}

function Loaded({ view }: { view: OverviewView }) {
  if (view.pipelines.length === 0) return <Start nodes={view.nodes} />;
  return (
    <>
      <VerdictPanel view={view} />
      <div className={classes.grid}>
        <Panel title="Messages a minute" aside="last 60 minutes">
          <MinuteChart points={view.perMinute} />
        </Panel>
        <NodesPanel nodes={view.nodes} />
        <div className={classes.wide}>
          <PipelinesPanel view={view} />
        </div>
        <div className={classes.wide}>
          <NewestPanel view={view} />
        </div>
      </div>
    </>
  );
}

function NodesPanel({ nodes }: { nodes: OverviewView['nodes'] }) {
  const slug = useSlug();
  return (
    <Panel title="Nodes" padded={false} aside={<More href={paths.nodes(slug)}>All nodes</More>}>
      {nodes.length === 0 ? (
        <EmptyState compact icon={IconServer2} title="No nodes yet">
          Pipelines run as soon as the platform’s operator adds one.
        </EmptyState>
      ) : (
        <ul className={classes.nodes}>
          {nodes.slice(0, NODES_SHOWN).map((node) => (
            <li key={node.id}>
              <span className={classes.name}>{node.name}</span>
              <StateBadge state={node.liveness} />
              <small>
                {node.lastSeenAt ? (
                  <>
                    seen <RelativeTime at={node.lastSeenAt} />
                  </>
                ) : (
                  'never seen'
                )}
                , runs {formatCount(node.pipelines.length, 'pipeline')}
              </small>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

const NODES_SHOWN = 4;

function PipelinesPanel({ view }: { view: OverviewView }) {
  const slug = useSlug();
  return (
    <Panel title="Pipelines" padded={false} aside={<More href={paths.pipelines(slug)}>All pipelines</More>}>
      <PipelineTable pipelines={view.pipelines} nodes={view.nodes} />
    </Panel>
  );
}

function NewestPanel({ view }: { view: OverviewView }) {
  const slug = useSlug();
  return (
    <Panel title="Newest messages" padded={false} aside={<More href={paths.messages(slug)}>All messages</More>}>
      {view.newest.length === 0 ? (
        <EmptyState compact icon={IconMessages} title="No messages yet">
          Send one to a published pipeline, its page has a ready curl line: it appears here within a second.
        </EmptyState>
      ) : (
        <DataTable
          label="Newest messages"
          plainHead
          columns={messageColumns(true)}
          rows={view.newest.slice(0, MESSAGES_SHOWN)}
          rowKey={(message) => message.id}
          rowHref={(message) => paths.message(slug, message.id)}
        />
      )}
    </Panel>
  );
}

const MESSAGES_SHOWN = 8;

function More({ href, children }: { href: string; children: ReactNode }) {
  return (
    <Anchor component={Link} href={href} size="sm">
      {children}
    </Anchor>
  );
}

/** A tenant without pipelines: what this is and how it begins. */
function Start({ nodes }: { nodes: OverviewView['nodes'] }) {
  const slug = useSlug();
  return (
    <>
      <Panel title="Begin with a pipeline">
        <EmptyState
          icon={IconArrowsSplit2}
          title="A pipeline takes messages in, changes them and delivers them"
          action={
            <>
              <ol className={classes.start}>
                <li>
                  <b>Receive</b>A new pipeline has its own URL at once: whoever has it can send.
                </li>
                <li>
                  <b>Convert and filter</b>Steps in TypeScript, written and tried out in the page.
                </li>
                <li>
                  <b>Deliver</b>To any HTTP address, or to your test receiver, with retries.
                </li>
              </ol>
              <div style={{ flexBasis: '100%' }} />
              <Button component={Link} href={paths.pipelines(slug)}>
                Make your first pipeline
              </Button>
            </>
          }
        >
          Nothing is lost on the way: a message is accepted once it is stored, and you can follow each one step by step.
        </EmptyState>
      </Panel>
      <div style={{ marginTop: 16 }}>
        <NodesPanel nodes={nodes} />
      </div>
    </>
  );
}

function OverviewSkeleton() {
  return (
    <div aria-hidden>
      <Skeleton height={72} radius="lg" mb="md" />
      <div className={classes.grid}>
        <PanelSkeleton height={290} />
        <PanelSkeleton height={290} />
        <PanelSkeleton height={130} className={classes.wide} />
        <PanelSkeleton height={360} className={classes.wide} />
      </div>
    </div>
  );
}
