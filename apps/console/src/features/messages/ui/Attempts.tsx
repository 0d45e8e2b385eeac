'use client';

import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { formatMicros } from '../../../ui/format.ts';
import { IdText } from '../../../ui/IdText.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import type { StateName } from '../../../ui/states.ts';
import type { AttemptView, MessageDetail } from '../types.ts';
import { statusWords } from './http-status.ts';
import classes from './Trail.module.css';

/** Every attempt at one destination: when, what the receiver said, and what comes next. */
export function Attempts({ destination, reason }: { destination: MessageDetail['destinations'][number]; reason: string | null }) {
  if (destination.attempts.length === 0) return <p className={classes.reason}>{reason ?? 'No attempt: the message did not get this far.'}</p>;
  const last = destination.attempts.at(-1);
  return (
    <>
      <ol className={classes.attempts}>
        {destination.attempts.map((attempt) => (
          <Attempt key={`${attempt.attempt} ${attempt.at}`} attempt={attempt} />
        ))}
      </ol>
      {destination.state === 'retrying' && last?.nextAt && (
        <p>
          Next attempt <RelativeTime at={last.nextAt} />.
        </p>
      )}
    </>
  );
}

function Attempt({ attempt }: { attempt: AttemptView }) {
  const state: StateName = attempt.state === 'retrying' ? 'failed' : attempt.state;
  // 0: it ended before a request was made, by a step or by a rule.
  const reached = attempt.attempt > 0;
  return (
    <li>
      <div className={classes.attempt}>
        {reached && <span className={classes.number}>Attempt {attempt.attempt}</span>}
        <StateBadge state={state} />
        {attempt.peerStatus !== null && <strong className="tabular">{statusWords(attempt.peerStatus)}</strong>}
        {attempt.durationUs !== null && <span className={classes.kind}>{formatMicros(attempt.durationUs)}</span>}
        {reached && (
          <span className={classes.kind}>
            by <IdText value={attempt.nodeId} what="node id" />
          </span>
        )}
        {attempt.at !== null && (
          <span className={classes.time}>
            <RelativeTime at={attempt.at} clock />
          </span>
        )}
      </div>
      {attempt.reason && attempt.state !== 'delivered' && (
        <div>
          {attempt.reason}
          {attempt.code && <span className={classes.url}> {attempt.code}</span>}
        </div>
      )}
      {attempt.peerAnswer && (
        <details className={classes.details} open={attempt.state !== 'delivered'}>
          <summary>The receiver’s answer</summary>
          <CodeBlock code={attempt.peerAnswer} what="receiver’s answer" wrap maxHeight={160} />
        </details>
      )}
    </li>
  );
}
