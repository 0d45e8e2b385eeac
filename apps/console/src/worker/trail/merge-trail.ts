import type { TrailDestination, TrailMessage, TrailRecord, TrailState } from '@vrsky/contracts/trail';
import type { StoredAttempt, StoredDestination, StoredStep } from '../../features/messages/stored-trail.ts';

/** A message as the table `message` keeps it. */
export interface MessageState {
  id: string;
  pipelineId: string;
  revision: number;
  receivedAtMs: number;
  storedAtMs: number;
  state: TrailState;
  reason: string | null;
  bytes: number;
  contentType: string;
  traceId: string;
  seq: number;
  index: number;
  /** Sequence of the dead letter it was sent again from. */
  replayOfSeq: number | null;
  /** The message and destination to which it is the answer. */
  answerOf: { messageId: string; destinationId: string } | null;
  steps: StoredStep[];
  destinations: StoredDestination[];
  attempts: number;
  doneAtMs: number | null;
}

/**
 * Adds what one pass wrote down to what is known of a message. Merging the same again changes nothing, and passes may come in any
 * order: records are delivered at least once, and two nodes may write about one message.
 */
export function mergeMessage(known: MessageState | null, record: TrailRecord, message: TrailMessage): MessageState {
  const destinations = [...(known?.destinations ?? [])];
  for (const written of message.destinations) {
    const at = destinations.findIndex((item) => item.id === written.id);
    const merged = mergeDestination(
      at < 0 ? { id: written.id, state: written.state, attempts: [] } : (destinations[at] as StoredDestination),
      toAttempt(record, written),
    );
    if (at < 0) destinations.push(merged);
    else destinations[at] = merged;
  }
  const worst = worstOf(destinations);
  return {
    ...(known ?? firstSeen(record, message)),
    // Steps run anew at each pass, with the same result; the first full run is the one to show.
    steps:
      known && known.steps.length >= message.steps.length
        ? known.steps
        : message.steps.map(({ id, result, instructions, durationUs }) => ({ id, result, instructions, durationUs })),
    destinations,
    state: worst?.state ?? 'delivered',
    reason: worst && worst.state !== 'delivered' ? (worst.attempts.at(-1)?.reason ?? null) : null,
    attempts: Math.max(0, ...destinations.map((item) => item.attempts.at(-1)?.attempt ?? 0)),
    doneAtMs: destinations.some((item) => item.state === 'retrying')
      ? null
      : Math.max(...destinations.map(endedAtMs), known?.receivedAtMs ?? message.receivedAtMs),
  };
}

/** What a dead letter's row says, for a destination that gave up. */
export interface DeadLetterState {
  destinationId: string;
  atMs: number;
  attempts: number;
  code: string;
  reason: string;
  peerStatus: number | null;
  dlqSeq: number | null;
}

export function deadLettersOf(record: TrailRecord, message: TrailMessage): DeadLetterState[] {
  return message.destinations
    .filter((item) => item.state === 'dead_lettered')
    .map((item) => ({
      destinationId: item.id,
      atMs: record.atMs,
      attempts: item.attempt,
      code: item.code ?? 'unknown',
      reason: item.reason ?? 'No reason was given.',
      peerStatus: item.peerStatus ?? null,
      dlqSeq: item.dlqSeq ?? null,
    }));
}

/** From the one that needs a person most to the one that needs nobody. */
const severity: TrailState[] = ['dead_lettered', 'expired', 'retrying', 'delivered', 'filtered'];

function worstOf(destinations: StoredDestination[]): StoredDestination | undefined {
  return destinations.toSorted((a, b) => severity.indexOf(a.state) - severity.indexOf(b.state))[0];
}

function firstSeen(record: TrailRecord, message: TrailMessage): MessageState {
  const { id, receivedAtMs, storedAtMs, bytes, contentType, traceId, seq, index } = message;
  return {
    ...{ id, receivedAtMs, storedAtMs, bytes, contentType, traceId, seq, index },
    pipelineId: record.pipelineId,
    revision: record.revision,
    replayOfSeq: message.replayOf ?? null,
    answerOf: message.answerOf ?? null,
    ...{ state: 'retrying', reason: null, steps: [], destinations: [], attempts: 0, doneAtMs: null },
  };
}

/** The last attempt decides; of the same attempt, the later word. */
function mergeDestination(known: StoredDestination, attempt: StoredAttempt): StoredDestination {
  if (known.attempts.some((item) => isSame(item, attempt))) return known;
  const told = known.attempts.find((item) => isToldAgain(item, attempt));
  if (told !== undefined && told.atMs > attempt.atMs) return known;
  const attempts = [...known.attempts.filter((item) => item !== told), attempt]
    .sort((a, b) => rankOf(a) - rankOf(b) || a.atMs - b.atMs)
    .slice(-ATTEMPTS_KEPT_MAX);
  return { id: known.id, state: (attempts.at(-1) as StoredAttempt).state, attempts };
}

/**
 * That a message waits for its turn was true before anything else came of it, whenever it was written down; and who writes that it expired does not
 * always know how often it was tried.
 */
function rankOf({ attempt, state }: StoredAttempt): number {
  if (state === 'expired') return Number.MAX_SAFE_INTEGER;
  return attempt === 0 && state === 'retrying' ? -1 : attempt;
}

/** Several times what a retry policy allows: the rest are repeats after crashes. */
const ATTEMPTS_KEPT_MAX = 64;

function isSame(a: StoredAttempt, b: StoredAttempt): boolean {
  return a.attempt === b.attempt && a.nodeId === b.nodeId && a.startedAtMs === b.startedAtMs && a.atMs === b.atMs && a.state === b.state;
}

/** The same wait for a next attempt, told anew because what waits behind the message has changed. */
function isToldAgain(a: StoredAttempt, b: StoredAttempt): boolean {
  const isWaiting = a.behind !== undefined && b.behind !== undefined;
  return isWaiting && a.attempt === b.attempt && a.nodeId === b.nodeId && a.startedAtMs === b.startedAtMs;
}

function toAttempt(record: TrailRecord, { id: _id, dlqSeq: _dlqSeq, ...rest }: TrailDestination): StoredAttempt {
  return { ...rest, nodeId: record.nodeId, atMs: record.atMs };
}

function endedAtMs(destination: StoredDestination): number {
  const last = destination.attempts.at(-1);
  if (!last) return 0;
  return last.startedAtMs === undefined ? last.atMs : Math.round(last.startedAtMs + (last.durationUs ?? 0) / 1_000);
}
