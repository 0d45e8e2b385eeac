'use client';

import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { formatMicros, formatNumber } from '../../../ui/format.ts';
import { IdText } from '../../../ui/IdText.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import type { StateName } from '../../../ui/states.ts';
import type { AttemptView, MessageDetail } from '../types.ts';
import { statusWords } from './http-status.ts';
import classes from './Trail.module.css';

/** Every attempt at one destination: when, what the receiver said, and what comes next. */
export function Attempts({ destination }: { destination: MessageDetail['destinations'][number] }) {
  const attempts = destination.attempts.filter(({ attempt }) => attempt > 0);
  const last = attempts.at(-1);
  if (!last) return <NotSent last={destination.attempts.at(-1)} what={destination.connector === 'http' ? 'No request was made' : 'Nothing was sent'} />;
  return (
    <ol className={classes.attempts}>
      {attempts.map((attempt) => (
        <Attempt key={`${attempt.attempt} ${attempt.at}`} attempt={attempt} isLast={attempt === last} />
      ))}
    </ol>
  );
}

/** Nobody knows how many messages the packs have that are still in the queue: one at least. */
function behindWords(behind: number): string {
  return behind === 1 ? 'At least one message waits behind it.' : `At least ${formatNumber(behind)} messages wait behind it.`;
}

/** The message ended before anything was sent: in a step, or by a rule. */
function NotSent({ last, what }: { last: AttemptView | undefined; what: string }) {
  if (!last) return <p className={classes.kind}>Under way: no attempt yet.</p>;
  if (last.state === 'retrying') return <p className={classes.kind}>{last.reason}</p>;
  if (last.state === 'filtered') return <p className={classes.kind}>{what}: a step filtered the message.</p>;
  return (
    <div className={classes.reason} data-tone={last.state === 'dead_lettered' ? 'bad' : undefined}>
      {what}. {last.reason}
      {last.code && <div className={classes.url}>{last.code}</div>}
    </div>
  );
}

function Attempt({ attempt, isLast }: { attempt: AttemptView; isLast: boolean }) {
  const state: StateName = attempt.state === 'retrying' ? 'failed' : attempt.state;
  return (
    <li>
      <div className={classes.attempt}>
        <span className={classes.number}>Attempt {attempt.attempt}</span>
        <StateBadge state={state} />
        {attempt.peerStatus !== null && <strong className="tabular">{statusWords(attempt.peerStatus)}</strong>}
        {attempt.durationUs !== null && <span className={classes.kind}>{formatMicros(attempt.durationUs)}</span>}
        {attempt.at !== null && (
          <span className={classes.time}>
            <RelativeTime at={attempt.at} clock />
          </span>
        )}
      </div>
      {attempt.reason && attempt.state !== 'delivered' && <div style={{ overflowWrap: 'anywhere' }}>{attempt.reason}</div>}
      {attempt.nextAt && (
        <div>
          Next attempt not before <RelativeTime at={attempt.nextAt} clock />
          {isLast && (
            <>
              , <RelativeTime at={attempt.nextAt} />
            </>
          )}
          .{isLast && attempt.behind !== null && attempt.behind > 0 && ` ${behindWords(attempt.behind)}`}
        </div>
      )}
      <div className={classes.small}>
        {attempt.code && attempt.state !== 'delivered' && <span className="mono">{attempt.code}</span>}
        <span>
          by node <IdText value={attempt.nodeId} what="node id" />
        </span>
      </div>
      {attempt.peerAnswer && (
        <details className={classes.details} open={attempt.state !== 'delivered'}>
          <summary>The receiver’s answer</summary>
          <CodeBlock code={attempt.peerAnswer} what="receiver’s answer" wrap maxHeight={160} />
        </details>
      )}
    </li>
  );
}
