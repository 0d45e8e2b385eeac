'use client';

import { Button, Loader, SegmentedControl } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { Facts } from '../../../ui/Facts.tsx';
import { formatBytes, formatCount, formatNumber } from '../../../ui/format.ts';
import { JsonDiff } from '../../../ui/JsonDiff.tsx';
import { prettyText } from '../../../ui/pretty-text.ts';
import type { MessagePayloads, PayloadView, StepTrailView } from '../types.ts';
import classes from './Trail.module.css';
import type { usePayloads } from './use-payloads.ts';

type Recomputed = Extract<MessagePayloads, { ok: true }>;

/** While a node runs the message again, and when none could. */
export function PayloadProgress({ payloads }: { payloads: ReturnType<typeof usePayloads> }) {
  if (payloads.isFetching) {
    return (
      <p className={classes.progress} role="status">
        <Loader size={14} aria-hidden /> A node runs the steps again to show the payloads…
      </p>
    );
  }
  const problem = payloads.error ? toErrorView(payloads.error).message : payloads.data && !payloads.data.ok ? payloads.data.reason : null;
  if (problem === null) return null;
  return (
    <div className={classes.reason} data-tone="wait" role="status">
      <p>
        <strong>The payloads cannot be shown now.</strong> {problem}
      </p>
      <p style={{ marginTop: 4 }}>Only this view needs a node to answer: what happened to the message is below and does not change.</p>
      <Button variant="default" mt={8} onClick={() => void payloads.refetch()}>
        Try again
      </Button>
    </div>
  );
}

/** What came in: the body, and the headers on request. */
export function InputPayload({ payloads }: { payloads: Recomputed }) {
  const headers = Object.entries(payloads.inputHeaders);
  return (
    <>
      <details className={classes.details}>
        <summary>{formatCount(headers.length, 'header')}</summary>
        {headers.length === 0 ? (
          <p>No headers pass through.</p>
        ) : (
          <Facts
            entries={headers.map(([name, value]) => [
              name,
              <span key={name} className="mono" style={{ fontSize: 12 }}>
                {value}
              </span>,
            ])}
          />
        )}
      </details>
      <Payload payload={payloads.input} what="payload as received" maxHeight={200} />
    </>
  );
}

/** What a step made of what it got. */
export function StepPayload({ step, index, payloads }: { step: StepTrailView; index: number; payloads: Recomputed }) {
  const run = payloads.steps.find((item) => item.id === step.id);
  if (!run) return null;
  const before = payloads.steps.slice(0, index).reduce((input, item) => item.output ?? input, payloads.input);
  return (
    <>
      {run.reason && (
        <div className={classes.reason} data-tone={run.result === 'failed' ? 'bad' : undefined}>
          {run.reason}
          {run.route !== null && ` (route ${run.route})`}
          {run.line !== null && ` (line ${run.line} of its code)`}
        </div>
      )}
      {run.output && step.kind === 'convert' && <Change before={before} after={run.output} name={step.name} />}
      {run.split && (
        <p className={classes.kind}>
          Instructions: {formatNumber(run.split.decode)} to decode, {formatNumber(run.split.logic)} in its logic, {formatNumber(run.split.encode)} to encode
        </p>
      )}
      {run.logs.length > 0 && (
        <details className={classes.details}>
          <summary>{formatCount(run.logs.length, 'line')} logged</summary>
          <CodeBlock code={run.logs.join('\n')} what={`log of ${step.name}`} wrap maxHeight={200} />
        </details>
      )}
      {run.instructions !== step.instructions && (
        <p className={classes.progress}>
          <IconAlertTriangle size={14} aria-hidden /> This run took {formatCount(run.instructions, 'instruction')}, the first one{' '}
          {formatCount(step.instructions, 'instruction')}.
        </p>
      )}
    </>
  );
}

function Change({ before, after, name }: { before: PayloadView; after: PayloadView; name: string }) {
  const [shown, setShown] = useState<'diff' | 'before' | 'after'>('diff');
  const comparable = before.text !== null && after.text !== null;
  const view = comparable ? shown : shown === 'diff' ? 'after' : shown;
  return (
    <>
      <div className={classes.tools}>
        <SegmentedControl
          size="xs"
          aria-label={`What to show of ${name}`}
          value={view}
          onChange={(value) => setShown(value as typeof shown)}
          data={[...(comparable ? [{ value: 'diff', label: 'Changes' }] : []), { value: 'before', label: 'Before' }, { value: 'after', label: 'After' }]}
        />
        <span className={classes.kind}>
          {formatBytes(before.bytes)} → {formatBytes(after.bytes)}
        </span>
      </div>
      {view === 'diff' ? (
        <JsonDiff before={before.text ?? ''} after={after.text ?? ''} label={`What ${name} changed`} />
      ) : (
        <Payload payload={view === 'before' ? before : after} what={`payload ${view} ${name}`} />
      )}
    </>
  );
}

function Payload({ payload, what, maxHeight = 320 }: { payload: PayloadView; what: string; maxHeight?: number }) {
  if (payload.bytes === 0) return <p className={classes.kind}>The body is empty.</p>;
  const cut = payload.text !== null && payload.text.length < payload.bytes && payload.bytes > SHOWN_BYTES_MAX;
  return (
    <>
      <CodeBlock code={payload.text === null ? payload.base64 : prettyText(payload.text)} what={what} wrap maxHeight={maxHeight} />
      {payload.text === null && <p className={classes.kind}>Not text ({payload.contentType || 'no content type'}): shown in Base64.</p>}
      {cut && <p className={classes.kind}>The beginning of {formatBytes(payload.bytes)}.</p>}
    </>
  );
}

/** The server sends at most this much of a payload. */
const SHOWN_BYTES_MAX = 262_144;
