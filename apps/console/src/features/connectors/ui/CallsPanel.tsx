'use client';

import { IconActivity } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { type Column, DataTable } from '../../../ui/DataTable.tsx';
import { EmptyState } from '../../../ui/EmptyState.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatBytes, formatCount, formatNumber } from '../../../ui/format.ts';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { Sparkline } from '../../../ui/Sparkline.tsx';
import type { ConnectorCallsView, ConnectorEventView, MethodCalls, ProcessCallsView } from '../calls-types.ts';
import classes from './CallsPanel.module.css';
import { eventWords, inOrder, isTroubled, methodName, methodSentence, valuesPerMinute } from './calls-words.ts';

/** What a connector did in the last hour: its calls and messages, how they ended, and what became of its processes. */
export function CallsPanel({ connector }: { connector: string }) {
  const query = useQuery(useTRPC().connectors.calls.queryOptions({ connector }));
  if (query.data) return <Loaded calls={query.data} />;
  if (!query.error) return <PanelSkeleton height={260} />;
  return (
    <Panel title={TITLE}>
      <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
    </Panel>
  );
}

const TITLE = 'What it did in the last hour';

function Loaded({ calls }: { calls: ConnectorCallsView }) {
  const { methods, events, processes, truncated } = calls;
  if (methods.length === 0 && events.length === 0)
    return (
      <Panel title={TITLE}>
        <EmptyState icon={IconActivity} title="Nothing in the last hour" compact>
          Here stands every call of a node to this connector for you: how many, how they ended and how long they took. What was in them is never kept.
        </EmptyState>
      </Panel>
    );
  return (
    <Panel title={TITLE} aside={<span>Numbers and results only; contents are never kept</span>} padded={false}>
      <div className={classes.plots}>
        <Plot name="message" calls={calls} pick={({ sent, received }) => sent + received} />
        <Plot name="call" calls={calls} pick={({ calls: made }) => made} />
      </div>
      <DataTable label="Calls by kind" plainHead keys={false} columns={methodColumns} rows={inOrder(methods)} rowKey={({ method }) => method} />
      <Events events={events} />
      {processes.length > 1 && (
        <>
          <h3 className={classes.subhead}>By process</h3>
          <DataTable
            label="Calls by process"
            plainHead
            keys={false}
            columns={processColumns}
            rows={processes}
            rowKey={({ nodeId, processId }) => `${nodeId} ${processId}`}
          />
        </>
      )}
      {truncated && <p className={classes.note}>More happened than is shown here; the oldest is left out. The API answers for shorter stretches.</p>}
    </Panel>
  );
}

function Plot({ name, calls, pick }: { name: string; calls: ConnectorCallsView; pick: (minute: ConnectorCallsView['perMinute'][number]) => number }) {
  const values = valuesPerMinute(calls.perMinute, calls.from, calls.to, pick);
  const total = values.reduce((sum, value) => sum + value, 0);
  const most = Math.max(0, ...values);
  return (
    <figure className={classes.plot}>
      <figcaption>
        <b>{formatCount(total, name)}</b>
        {most > 0 && <span>at most {formatNumber(most)} a minute</span>}
      </figcaption>
      <Sparkline
        values={values}
        label={`${formatCount(total, name)} in the last ${values.length} minutes, at most ${formatNumber(most)} a minute`}
        width={320}
        height={48}
      />
    </figure>
  );
}

const methodColumns: Column<MethodCalls>[] = [
  {
    id: 'method',
    header: 'Call',
    width: 120,
    cell: ({ method }) => (
      <span className={classes.sentence} title={method}>
        {methodName(method)}
      </span>
    ),
  },
  {
    id: 'what',
    header: 'What the node did',
    narrow: 'full',
    cell: (call) => <span className={`${classes.sentence} ${isTroubled(call) ? classes.trouble : ''}`}>{methodSentence(call)}</span>,
  },
  { id: 'out', header: 'Sent', width: 88, align: 'right', narrowLabel: 'Sent', cell: ({ requestBytes }) => <Bytes value={requestBytes} /> },
  { id: 'in', header: 'Answered', width: 88, align: 'right', narrowLabel: 'Answered', cell: ({ responseBytes }) => <Bytes value={responseBytes} /> },
];

function Bytes({ value }: { value: number | null }) {
  if (value !== null) return formatBytes(value);
  return (
    <span className={classes.dim} title="Not shown: the process works for others too, and its sizes are everybody’s">
      –
    </span>
  );
}

function Events({ events }: { events: readonly ConnectorEventView[] }) {
  if (events.length === 0) return null;
  return (
    <>
      <h3 className={classes.subhead}>What became of its processes</h3>
      <ul className={classes.events}>
        {events.map((event) => (
          <li key={`${event.processId} ${event.at} ${event.kind} ${event.reason}`}>
            <RelativeTime at={event.at} />
            <span>{eventWords[event.kind]}</span>
            <p>
              {event.reason}{' '}
              <span className={classes.dim}>
                {event.version === '' ? '' : `Version ${event.version}, `}
                {event.nodeName}
              </span>
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

const processColumns: Column<ProcessCallsView>[] = [
  { id: 'node', header: 'Node', cell: ({ nodeName }) => nodeName },
  { id: 'version', header: 'Version', width: 96, cell: ({ version }) => version },
  { id: 'whose', header: 'Works for', width: 120, cell: ({ shared }) => (shared ? 'everybody' : 'you alone') },
  { id: 'since', header: 'Last seen', width: 120, narrow: 'side', cell: ({ lastAt }) => <RelativeTime at={lastAt} /> },
  { id: 'calls', header: 'Calls', width: 80, align: 'right', narrowLabel: 'Calls', cell: ({ calls }) => formatNumber(calls) },
  {
    id: 'messages',
    header: 'Messages',
    width: 96,
    align: 'right',
    narrowLabel: 'Messages',
    cell: ({ sent, received }) => formatNumber(sent + received),
  },
];
