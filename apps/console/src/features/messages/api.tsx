import { Tooltip } from '@mantine/core';
import { IconArrowForwardUp } from '@tabler/icons-react';
import type { Column } from '../../ui/DataTable.tsx';
import { formatBytes, formatMillis, formatNumber } from '../../ui/format.ts';
import { IdPlain } from '../../ui/IdText.tsx';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { StateBadge } from '../../ui/StateBadge.tsx';
import type { MessageSummary } from './types.ts';

/** The columns of a list of messages; `short` for a place beside other things. */
export function messageColumns(short = false): Column<MessageSummary>[] {
  const columns: (Column<MessageSummary> & { long?: true })[] = [
    {
      id: 'id',
      header: 'Message',
      cell: (message) => (
        <span style={{ whiteSpace: 'nowrap' }}>
          <IdPlain value={message.id} />
          {message.isAnswer && <AnswerMark />}
        </span>
      ),
      width: 172,
      narrow: 'title',
    },
    { id: 'state', header: 'State', cell: (message) => <StateBadge state={message.state} />, width: 136, narrow: 'side' },
    {
      id: 'pipeline',
      header: 'Pipeline',
      cell: (message) => <span title={message.pipelineName}>{message.pipelineName}</span>,
      cut: true,
      width: '20%',
      narrow: 'meta',
    },
    { id: 'reason', header: 'Reason', cell: (message) => message.reason && <Reason text={message.reason} />, cut: true, width: '36%', narrow: 'full' },
    {
      id: 'attempts',
      header: 'Attempts',
      cell: (message) => formatNumber(message.attempts),
      align: 'right',
      width: 76,
      narrow: 'meta',
      narrowLabel: 'Attempts',
      long: true,
    },
    {
      id: 'took',
      header: 'Took',
      cell: (message) => (message.durationMs === null ? '' : formatMillis(message.durationMs)),
      align: 'right',
      width: 84,
      narrow: 'meta',
    },
    { id: 'size', header: 'Size', cell: (message) => formatBytes(message.bytes), align: 'right', width: 76, narrow: 'meta', long: true },
    { id: 'received', header: 'Received', cell: (message) => <RelativeTime at={message.receivedAt} />, align: 'right', width: 110, narrow: 'meta' },
  ];
  return short ? columns.filter((column) => !column.long) : columns;
}

function AnswerMark() {
  return (
    <Tooltip label="The answer of a destination to another message">
      <IconArrowForwardUp size={14} aria-label=", an answer" role="img" style={{ marginLeft: 6, verticalAlign: '-2px', color: 'var(--vr-dim)' }} />
    </Tooltip>
  );
}

/** Cut to its line in a table; the whole sentence on hover and on the message's page. */
export function Reason({ text }: { text: string }) {
  return (
    <span title={text} style={{ color: 'var(--vr-dim)' }}>
      {text}
    </span>
  );
}
