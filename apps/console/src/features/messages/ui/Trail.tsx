'use client';

import { Anchor } from '@mantine/core';
import type { Icon } from '@tabler/icons-react';
import { IconDatabase, IconDownload, IconFilter, IconSend, IconTransform } from '@tabler/icons-react';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { paths } from '../../../lib/paths.ts';
import { formatBytes, formatMicros, formatMillis, formatNumber } from '../../../ui/format.ts';
import { IdPlain } from '../../../ui/IdText.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { type StateName, stateLooks } from '../../../ui/states.ts';
import { useSlug } from '../../tenancy/api.tsx';
import type { DestinationTrailView, MessageDetail, MessagePayloads, StepTrailView } from '../types.ts';
import { Attempts } from './Attempts.tsx';
import { InputPayload, PayloadProgress, StepPayload } from './Payloads.tsx';
import classes from './Trail.module.css';
import { usePayloads } from './use-payloads.ts';

/** The way of one message, top to bottom: received, stored, each step, each destination with its attempts. */
export function Trail({ message }: { message: MessageDetail }) {
  const payloads = usePayloads(message.id);
  const slug = useSlug();
  const receivedAt = Date.parse(message.receivedAt);
  return (
    <ol className={classes.trail}>
      <Stop
        icon={IconDownload}
        title={message.answerOf ? 'Answered' : 'Received'}
        note={`${formatBytes(message.bytes)}${message.contentType ? `, ${message.contentType}` : ''}`}
        time={<RelativeTime at={message.receivedAt} clock />}
      >
        <PayloadProgress payloads={payloads} />
        {payloads.data?.ok && <InputPayload payloads={payloads.data} />}
      </Stop>
      <Stop
        icon={IconDatabase}
        title="Stored"
        note={`at address ${message.address.seq}.${message.address.index}`}
        time={`+ ${formatMillis(Math.max(0, Date.parse(message.storedAt) - receivedAt))}`}
      />
      {message.steps.map((step, i) => (
        <Step key={step.id} step={step} index={i} payloads={payloads.data} />
      ))}
      {message.destinations.map((destination) => (
        <Stop
          key={destination.id}
          icon={IconSend}
          title={destination.name}
          badge={<StateBadge state={destination.state} />}
          tone={destination.state}
          note={<Target destination={destination} />}
        >
          <Attempts destination={destination} />
          {destination.answerId !== null && (
            <p>
              Its answer went on as{' '}
              <Anchor component={Link} href={paths.message(slug, destination.answerId)} underline="always">
                message <IdPlain value={destination.answerId} />
              </Anchor>
              .
            </p>
          )}
        </Stop>
      ))}
    </ol>
  );
}

/** Where it went: the URL, or which connector and which of its connections. */
function Target({ destination: { connector, connectorTitle, url, settings } }: { destination: DestinationTrailView }) {
  if (connector === 'http') return <span className={classes.url}>{url}</span>;
  return (
    <>
      {connectorTitle}
      {settings.map(({ name, value }) => (
        <span key={name}>
          {', '}
          {name.toLowerCase()} <span className={classes.url}>{value}</span>
        </span>
      ))}
    </>
  );
}

const kinds = { convert: { word: 'Convert step', icon: IconTransform }, filter: { word: 'Filter step', icon: IconFilter } } as const;
const resultWords = {
  convert: { ok: 'Converted', filtered: 'Filtered', failed: 'Failed' },
  filter: { ok: 'Kept', filtered: 'Filtered', failed: 'Failed' },
} as const;

function Step({ step, index, payloads }: { step: StepTrailView; index: number; payloads: MessagePayloads | undefined }) {
  const kind = kinds[step.kind];
  return (
    <Stop
      icon={kind.icon}
      title={step.name}
      note={kind.word}
      tone={step.result === 'ok' ? undefined : step.result}
      badge={<StateBadge state={step.result} word={resultWords[step.kind][step.result]} />}
      time={`${formatNumber(step.instructions)} instructions, ${formatMicros(step.durationUs)}`}
    >
      {payloads?.ok && <StepPayload step={step} index={index} payloads={payloads} />}
    </Stop>
  );
}

interface StopProps {
  icon: Icon;
  title: string;
  note?: ReactNode;
  badge?: ReactNode;
  /** Colours the mark, when this stop is where something ended. */
  tone?: StateName | undefined;
  time?: ReactNode;
  children?: ReactNode;
}

function Stop({ icon: StopIcon, title, note, badge, tone, time, children }: StopProps) {
  const colour = tone && stateLooks[tone].tone;
  return (
    <li className={classes.stop}>
      <span
        className={classes.mark}
        style={
          colour &&
          ({ '--mark-fg': `var(--vr-${colour}-fg)`, '--mark-bg': `var(--vr-${colour}-bg)`, '--mark-line': `var(--vr-${colour}-line)` } as React.CSSProperties)
        }
      >
        <StopIcon size={16} stroke={1.75} aria-hidden />
      </span>
      <div className={classes.head}>
        <h3>{title}</h3>
        {badge}
        {note && <span className={classes.kind}>{note}</span>}
        {time && <span className={classes.time}>{time}</span>}
      </div>
      {children && <div className={classes.body}>{children}</div>}
    </li>
  );
}
