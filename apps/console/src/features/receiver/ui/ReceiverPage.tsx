'use client';

import { Anchor, Button, Skeleton } from '@mantine/core';
import { IconArrowLeft, IconInbox } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { limits } from '@vrsky/contracts/limits';
import Link from 'next/link';
import { useSearchParams } from 'next/navigation';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { CopyButton } from '../../../ui/CopyButton.tsx';
import { type Column, DataTable, TableSkeleton } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { Facts } from '../../../ui/Facts.tsx';
import { formatBytes, formatCount, formatNumber } from '../../../ui/format.ts';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { prettyText } from '../../../ui/pretty-text.ts';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import { type KeyedRequest, keyed } from './keyed.ts';
import classes from './ReceiverPage.module.css';

/** A request bin of the tenant: send to it and see exactly what arrives. */
export function ReceiverPage() {
  const trpc = useTRPC();
  const info = useQuery(trpc.receiver.info.queryOptions());
  const received = useQuery(trpc.receiver.list.queryOptions());
  const url = info.data?.url;
  return (
    <>
      <PageHeader
        title="Test receiver"
        lead={`Takes any request and shows it here, live: a destination to build with. It keeps the last ${formatNumber(limits.receiverRequestsMax)} requests.`}
      />
      <div className={classes.address}>
        <span>URL</span>
        {url === undefined ? <Skeleton height={14} style={{ flex: 1 }} /> : <code title={url}>{url}</code>}
        {url !== undefined && <CopyButton value={url} what="receiver URL" label="Copy URL" />}
      </div>
      {received.data ? (
        <Requests requests={keyed(received.data)} url={url} />
      ) : received.error ? (
        <ErrorState error={toErrorView(received.error)} onRetry={() => void received.refetch()} />
      ) : (
        <div className={classes.panes}>
          <Panel title="Requests" padded={false}>
            <TableSkeleton columns={3} />
          </Panel>
          <PanelSkeleton height={300} className={classes.detail} />
        </div>
      )}
    </>
  );
}

function Requests({ requests, url }: { requests: KeyedRequest[]; url: string | undefined }) {
  const slug = useSlug();
  const asked = useSearchParams().get('request');
  const open = requests.find((request) => request.key === asked);
  // On a wide screen the newest is open by itself; a narrow one shows the list first.
  const shown = open ?? requests[0];
  if (!shown) return <NothingYet url={url} />;
  return (
    <div className={classes.panes} data-open={open ? true : undefined}>
      <div className={classes.list}>
        <Panel title="Requests" aside={formatCount(requests.length, 'request')} padded={false}>
          <DataTable
            label="Requests that arrived"
            columns={columns}
            rows={requests.slice(0, SHOWN_MAX)}
            rowKey={(request) => request.key}
            rowHref={(request) => paths.receiver(slug, request.key)}
            currentKey={open?.key ?? null}
            keepScroll
            plainHead
          />
          {requests.length > SHOWN_MAX && (
            <p style={{ margin: 0, padding: '8px 16px', color: 'var(--vr-dim)' }}>The newest {formatNumber(SHOWN_MAX)} are listed.</p>
          )}
        </Panel>
      </div>
      <div className={classes.detail}>
        <Anchor component={Link} href={paths.receiver(slug)} className={classes.back}>
          <IconArrowLeft size={16} aria-hidden /> All requests
        </Anchor>
        <Detail request={shown} newest={!open} />
      </div>
    </div>
  );
}

const SHOWN_MAX = 200;

const columns: Column<KeyedRequest>[] = [
  { id: 'request', header: 'Request', cell: (request) => <Beginning request={request} />, cut: true, width: '100%', narrow: 'title' },
  { id: 'size', header: 'Size', cell: (request) => formatBytes(request.bytes), align: 'right', narrow: 'meta' },
  { id: 'at', header: 'Arrived', cell: (request) => <RelativeTime at={request.receivedAt} />, align: 'right', narrow: 'side', width: 110 },
];

/** The method and how the body begins: enough to tell one from another. */
function Beginning({ request }: { request: KeyedRequest }) {
  return (
    <>
      <span className={classes.method}>{request.method}</span> <span className={classes.beginning}>{request.text?.slice(0, 120) ?? ''}</span>
    </>
  );
}

function Detail({ request, newest }: { request: KeyedRequest; newest: boolean }) {
  return (
    <Panel
      title={
        <span className={classes.title}>
          <span className={classes.method}>{request.method}</span>
          {newest && <span style={{ color: 'var(--vr-dim)', fontWeight: 400 }}>newest</span>}
        </span>
      }
      aside={<RelativeTime at={request.receivedAt} clock />}
    >
      <section className={classes.section}>
        <h3>Body, {formatBytes(request.bytes)}</h3>
        {request.bytes === 0 ? (
          <p style={{ margin: 0 }}>The body is empty.</p>
        ) : (
          <>
            <CodeBlock code={request.text === null ? request.bodyBase64 : prettyText(request.text)} what="body" wrap maxHeight={400} />
            {request.text === null && <p style={{ margin: '4px 0 0', color: 'var(--vr-dim)' }}>Not text: shown in Base64.</p>}
          </>
        )}
      </section>
      <section className={classes.section}>
        <h3>{formatCount(Object.keys(request.headers).length, 'header')}</h3>
        <Facts
          entries={Object.entries(request.headers).map(([name, value]) => [
            name,
            <span key={name} className={classes.value}>
              {value}
            </span>,
          ])}
        />
      </section>
      <section className={classes.section}>
        <h3>URL</h3>
        <span className={classes.value}>{request.url}</span>
      </section>
    </Panel>
  );
}

function NothingYet({ url }: { url: string | undefined }) {
  const slug = useSlug();
  return (
    <Panel title="Requests">
      <EmptyState
        icon={IconInbox}
        title="Nothing has arrived yet"
        action={
          <>
            {url !== undefined && (
              <div className={classes.curl}>
                <CodeBlock code={curlLine(url)} what="curl line" wrap />
              </div>
            )}
            <div style={{ flexBasis: '100%' }} />
            <Button variant="default" component={Link} href={paths.pipelines(slug)}>
              Use it in a pipeline
            </Button>
          </>
        }
      >
        Run this line in a terminal, or make the URL a destination of a pipeline. The request appears here within a second.
      </EmptyState>
    </Panel>
  );
}

function curlLine(url: string): string {
  return `curl '${url}' -H 'content-type: application/json' -d '{"hello":"world"}'`;
}
