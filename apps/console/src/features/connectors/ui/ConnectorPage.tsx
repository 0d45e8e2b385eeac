'use client';

import { Anchor } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { appCodeOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { Facts } from '../../../ui/Facts.tsx';
import { formatBytes, formatMillis, formatNumber } from '../../../ui/format.ts';
import { IdText } from '../../../ui/IdText.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { layerWord } from '../../../ui/SandboxLayers.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import type { ConnectorDetail, ConnectorProcessView, ConnectorUse, ReleaseView } from '../types.ts';
import { CallsPanel } from './CallsPanel.tsx';
import classes from './Connectors.module.css';
import { networkWords, originWords, roleWords } from './connector-words.ts';
import { processSummary } from './process-summary.ts';
import { SettingsTable } from './SettingsTable.tsx';

/** One connector: what runs of it, what it can be set to, and who uses it. */
export function ConnectorPage({ name }: { name: string }) {
  const slug = useSlug();
  const query = useQuery(useTRPC().connectors.get.queryOptions({ name }));
  const back = { href: paths.connectors(slug), label: 'Connectors' };
  useDocumentTitle(`${query.data?.title ?? name} · VRSky`);
  if (query.data) return <Loaded connector={query.data} back={back} />;
  return (
    <>
      <PageHeader title={name} back={back} />
      {!query.error ? (
        <div className={classes.sections}>
          <PanelSkeleton height={160} />
          <PanelSkeleton height={260} />
        </div>
      ) : appCodeOf(query.error) === 'CONNECTOR.NOT_FOUND' ? (
        <EmptyState icon={IconPlugConnectedX} title="No node of your pool offers this connector" action={<BackLink slug={slug} />}>
          It was taken out of the nodes’ connector directory, or its name is another one. Pipelines that use it cannot be published until it is back.
        </EmptyState>
      ) : (
        <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
      )}
    </>
  );
}

function BackLink({ slug }: { slug: string }) {
  return (
    <Anchor component={Link} href={paths.connectors(slug)}>
      See all connectors
    </Anchor>
  );
}

function Loaded({ connector, back }: { connector: ConnectorDetail; back: { href: string; label: string } }) {
  const summary = processSummary(connector.processes);
  return (
    <>
      <PageHeader
        title={connector.title}
        back={back}
        lead={connector.description}
        badge={
          !connector.live ? (
            <StateBadge state="silent" word="Nodes away" variant="pill" />
          ) : (
            summary && <StateBadge state={summary.state} word={summary.word} variant="pill" />
          )
        }
      />
      <div className={classes.sections}>
        <Processes connector={connector} />
        <CallsPanel connector={connector.name} />
        <div className={classes.columns}>
          <div>
            <Settings connector={connector} />
          </div>
          <div>
            <About connector={connector} />
            <Releases releases={connector.releases} />
            <UsedBy uses={connector.usedBy} />
          </div>
        </div>
      </div>
    </>
  );
}

function Processes({ connector }: { connector: ConnectorDetail }) {
  const { processes } = connector;
  return (
    <Panel title="Processes" padded={processes.length === 0}>
      {processes.length === 0 ? (
        <p className={classes.dim} style={{ margin: 0 }}>
          None runs for you. A node starts one when a published pipeline uses the connector, or when you test a connection.
        </p>
      ) : (
        <DataTable
          label="Processes"
          plainHead
          keys={false}
          columns={processColumns}
          rows={processes}
          rowKey={(process) => `${process.nodeId} ${process.name} ${process.shared} ${process.digest} ${process.pid} ${process.version}`}
        />
      )}
    </Panel>
  );
}

/** Which role it plays, when each has a process of its own, and whether others use it too. */
function placeWords({ name, shared }: ConnectorProcessView): string {
  const [, role] = name.split(' ');
  return [role && ` ${role}`, shared && ', shared'].filter(Boolean).join('');
}

const processColumns: Column<ConnectorProcessView>[] = [
  {
    id: 'node',
    header: 'Node',
    cell: (process) => (
      <>
        {process.nodeName}
        <span className={classes.dim}>{placeWords(process)}</span>
      </>
    ),
    width: 170,
    narrow: 'title',
  },
  {
    id: 'state',
    header: 'State',
    cell: (process) => (process.nodeLiveness === 'live' ? <StateBadge state={process.state} /> : <StateBadge state={process.nodeLiveness} />),
    width: 120,
    narrow: 'side',
  },
  { id: 'version', header: 'Version', cell: (process) => process.version, width: 84, narrow: 'meta', narrowLabel: 'Version' },
  { id: 'reason', header: 'Reason', cell: (process) => process.reason, narrow: 'full' },
  {
    id: 'restarts',
    header: 'Restarts',
    cell: (process) => formatNumber(process.restarts),
    align: 'right',
    width: 80,
    narrow: 'meta',
    narrowLabel: 'Restarts',
  },
  { id: 'cpu', header: 'CPU time', cell: (process) => formatMillis(process.cpuSeconds * 1_000), align: 'right', width: 90, narrow: 'meta', narrowLabel: 'CPU' },
  { id: 'memory', header: 'Memory', cell: (process) => formatBytes(process.rssBytes), align: 'right', width: 90, narrow: 'meta', narrowLabel: 'Memory' },
  {
    id: 'sandbox',
    header: 'Held by',
    cell: (process) =>
      process.sandbox.length === 0 ? (
        <span className={classes.dim}>No sandbox</span>
      ) : (
        <span title={process.sandbox.map(layerWord).join(', ')}>{formatNumber(process.sandbox.length)} layers</span>
      ),
    width: 110,
    narrow: 'meta',
  },
];

function Settings({ connector }: { connector: ConnectorDetail }) {
  const { settingsSchemas, roles } = connector;
  return roles.map((role) => (
    <Panel key={role} title={roles.length === 1 ? 'Settings' : `Settings as ${role}`}>
      {settingsSchemas[role] === '' ? (
        <p className={classes.dim} style={{ margin: 0 }}>
          The connector does not say what it can be set to.
        </p>
      ) : (
        <SettingsTable label={`Settings as ${role}`} schema={settingsSchemas[role]} />
      )}
    </Panel>
  ));
}

function About({ connector }: { connector: ConnectorDetail }) {
  const layers = [...new Set(connector.processes.flatMap((process) => process.sandbox))];
  return (
    <Panel title="About">
      <Facts
        entries={[
          ['Name', <code key="n">{connector.name}</code>],
          ['Used as', roleWords(connector.roles)],
          ['Origin', originWords[connector.origin]],
          ['Network', networkWords[connector.network]],
          ['Sandbox', layers.length > 0 ? layers.map(layerWord).join(', ') : null],
        ]}
      />
    </Panel>
  );
}

function Releases({ releases }: { releases: ReleaseView[] }) {
  return (
    <Panel title="Versions">
      <ul className={classes.releases}>
        {releases.map((release) => (
          <li key={release.digest}>
            <p>
              <b>{release.version}</b> <IdText value={release.digest} what="digest" />
            </p>
            <p className={classes.dim}>
              On {release.nodes.map((node) => (node.liveness === 'live' ? node.name : `${node.name} (${node.liveness})`)).join(', ')}
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function UsedBy({ uses }: { uses: ConnectorUse[] }) {
  const slug = useSlug();
  return (
    <Panel title="Used by">
      {uses.length === 0 ? (
        <p className={classes.dim} style={{ margin: 0 }}>
          No pipeline yet. In a pipeline, Add part offers it.
        </p>
      ) : (
        <ul className={classes.releases}>
          {uses.map((use) => (
            <li key={use.pipelineId}>
              <Anchor component={Link} href={paths.pipeline(slug, use.pipelineId)} underline="always">
                {use.pipelineName}
              </Anchor>
              <p className={classes.dim}>
                {use.parts.map((part) => `${part.name} (${part.role})`).join(', ')}
                {!use.published && ', in the draft'}
              </p>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
