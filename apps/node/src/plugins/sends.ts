import { createInFlight } from '@vrsky/kernel/in-flight';
import type { Message } from '@vrsky/proto/message-codec';
import type { SendResult } from '@vrsky/proto/send-result-codec';

export interface OutgoingMessage {
  connectionId: string;
  customerId: string;
  pipelineId: string;
  messageId: string;
  traceparent: string;
  tracestate: string;
  attempt: number;
  headers: [string, string][];
  payload: Uint8Array;
  contentType: string;
  /** How much of the receiver's answer goes on, as the connector was told of the connection; only its beginning is kept when left out. */
  answerBytesMax?: number;
}

export interface SendOutcome {
  status: 'ok' | 'retryable' | 'permanent' | 'rate_limited';
  /** Whose trouble: the connector's (or ours), or the receiver's. */
  source: 'plugin' | 'downstream';
  code: string;
  reason: string;
  retryAfterMs: number;
  peerStatus: number;
  peerAnswer: Uint8Array;
  peerAnswerType: string;
  /** Not all of the answer that was asked for is there. */
  peerAnswerCut: boolean;
  startedAtMs: number;
  durationUs: number;
}

/** Where messages go while a connector process is up. */
export interface SendLine {
  write(message: Partial<Message>, bytes: number): void;
  /** A result came that answers nothing: for a message this process was not given, or for one it has answered before. */
  stray(kind: Stray): void;
  /** So many messages in a row, and nothing else in between, were given no result in time. */
  unanswered(inARow: number): void;
}

export type Stray = 'unknown' | 'twice';

/** Messages on their way through a connector: every one gets exactly one outcome, whatever becomes of the process. */
export interface Sends {
  /** `deadlineMs` from when the message was handed over, or from the connection's last result if that is later. */
  send(message: OutgoingMessage, deadlineMs: number): Promise<SendOutcome>;
  /** A process is up: what waited goes out. */
  open(line: SendLine): void;
  /** The process takes no more, but still answers what it has in hand; what comes waits for the next one. */
  hold(reason: string): void;
  /** The process is gone: what it had in hand is retryable; what only waited goes on waiting. */
  close(reason: string): void;
  /** Takes no more, and answers whatever is left. */
  end(): void;
  settle(results: readonly SendResult[]): void;
  /** Answers what is past its deadline. */
  expire(): void;
  readonly inFlight: number;
  readonly waiting: number;
  /** Results that answered nothing, since the beginning. `late` ones came after their message's deadline. */
  readonly strays: Readonly<Record<Stray | 'late', number>>;
}

interface Pending {
  /** Given when it is handed to a process. */
  seq: number;
  message: OutgoingMessage;
  deadlineMs: number;
  sentAtMs: number;
  /** Shared by all messages of one connection. */
  progress: Progress;
  resolve(outcome: SendOutcome): void;
}

/** When a connection last gave a result. A slow receiver gives them one by one, and what queues behind it is not late. */
interface Progress {
  atMs: number;
  pending: number;
}

/** However steadily results come: a message is not waited for beyond this many of its deadlines. */
const DEADLINES_MAX = 60;

/** Of how many messages past their deadline we know that a result would be late, not wrong. */
const EXPIRED_MAX = 65_536;
/** Bounds of what waits for a process to come up; a restart takes a fraction of a second. */
const WAITING_MAX = 8_192;
const WAITING_BYTES_MAX = 64 * 1_048_576;
const MESSAGE_BYTES = 512;
const REASON_CHARS_MAX = 500;
const ANSWER_START_BYTES = 1_024;
const ANSWER_TYPE = /^[\x20-\x7e]{1,200}$/;
const RETRY_AFTER_MS_MAX = 86_400_000;
const EMPTY = new Uint8Array(0);

export function createSends(nowMs: () => number = () => performance.now()): Sends {
  let line: SendLine | null = null;
  let lastSeq = 0;
  /** The first number of the process that is up. */
  let firstSeq = 1;
  let unansweredInARow = 0;
  const strays = { unknown: 0, twice: 0, late: 0 };
  /** Given to the process that is up, and past their deadline; the oldest first. */
  const expired = new Set<number>();
  let ended = false;
  /** Why there is no process now; for the customer. */
  let away = 'The connector is starting.';
  let waitingBytes = 0;
  const progressOf = new Map<string, Progress>();
  const inFlight = createInFlight<Pending>();
  const waiting = new Set<Pending>();

  const write = (to: SendLine, pending: Pending): void => {
    const { message } = pending;
    pending.sentAtMs = nowMs();
    pending.seq = ++lastSeq;
    inFlight.add(pending.seq, pending);
    to.write({ ...message, seq: pending.seq }, message.payload.length + MESSAGE_BYTES);
  };
  const wait = (pending: Pending): void => {
    if (ended || waiting.size >= WAITING_MAX || waitingBytes + pending.message.payload.length > WAITING_BYTES_MAX) {
      resolve(pending, faultOutcome('connector_unavailable', away));
      return;
    }
    waiting.add(pending);
    waitingBytes += pending.message.payload.length;
  };
  const resolve = (pending: Pending, outcome: SendOutcome): void => {
    if (--pending.progress.pending === 0) progressOf.delete(pending.message.connectionId);
    pending.resolve(outcome);
  };
  const takeProgress = (connectionId: string): Progress => {
    let progress = progressOf.get(connectionId);
    if (progress === undefined) {
      progress = { atMs: 0, pending: 0 };
      progressOf.set(connectionId, progress);
    }
    progress.pending++;
    return progress;
  };
  const countStray = (seq: number): void => {
    if (expired.delete(seq)) {
      unansweredInARow = 0; // slow, and not silent
      strays.late++;
      return;
    }
    const kind = seq >= firstSeq && seq <= lastSeq ? 'twice' : 'unknown';
    strays[kind]++;
    line?.stray(kind);
  };
  const isLate = ({ deadlineMs, sentAtMs, progress }: Pending, now: number): boolean =>
    now - Math.max(sentAtMs, progress.atMs) > deadlineMs || now - sentAtMs > deadlineMs * DEADLINES_MAX;
  return {
    send: (message, deadlineMs) =>
      new Promise((answer) => {
        const pending: Pending = { seq: 0, message, deadlineMs, sentAtMs: nowMs(), progress: takeProgress(message.connectionId), resolve: answer };
        if (line === null) wait(pending);
        else write(line, pending);
      }),
    open(next) {
      line = next;
      firstSeq = lastSeq + 1;
      unansweredInARow = 0;
      expired.clear();
      const waited = [...waiting];
      waiting.clear();
      waitingBytes = 0;
      for (const pending of waited) write(next, pending);
    },
    hold(reason) {
      line = null;
      away = reason;
    },
    close(reason) {
      line = null;
      away = reason;
      for (const pending of inFlight.clear()) resolve(pending, faultOutcome('connector_stopped', reason));
    },
    end() {
      ended = true;
      line = null;
      const left = [...inFlight.clear(), ...waiting];
      waiting.clear();
      waitingBytes = 0;
      for (const pending of left) resolve(pending, faultOutcome('node_stopping', 'The connection node is stopping.'));
    },
    settle(results) {
      const now = nowMs();
      for (const result of results) {
        const pending = inFlight.take(result.seq);
        if (pending === undefined) {
          countStray(result.seq);
          continue;
        }
        unansweredInARow = 0;
        pending.progress.atMs = now;
        resolve(pending, timed(toOutcome(result, pending.message.answerBytesMax ?? 0), now - pending.sentAtMs));
      }
    },
    expire() {
      const now = nowMs();
      const unansweredBefore = unansweredInARow;
      for (const [seq, pending] of inFlight.entries()) {
        if (!isLate(pending, now)) continue;
        inFlight.take(seq);
        expired.add(seq);
        unansweredInARow++;
        resolve(pending, faultOutcome('no_result', 'The connector gave no result in time.'));
      }
      for (const seq of expired) {
        if (expired.size <= EXPIRED_MAX) break;
        expired.delete(seq);
      }
      if (unansweredInARow > unansweredBefore) line?.unanswered(unansweredInARow);
      for (const pending of waiting) {
        if (now - pending.sentAtMs <= pending.deadlineMs) continue;
        waiting.delete(pending);
        waitingBytes -= pending.message.payload.length;
        resolve(pending, faultOutcome('connector_unavailable', away));
      }
    },
    strays,
    get inFlight() {
      return inFlight.size;
    },
    get waiting() {
      return waiting.size;
    },
  };
}

function faultOutcome(code: string, reason: string): SendOutcome {
  return { status: 'retryable', source: 'plugin', code, reason, retryAfterMs: 0, peerStatus: 0, ...noAnswer, startedAtMs: 0, durationUs: 0 };
}

const noAnswer = { peerAnswer: EMPTY, peerAnswerType: '', peerAnswerCut: false };

/** A connector that does not say when it began is timed by us: from when the message was handed to it. */
function timed(outcome: SendOutcome, sinceMs: number): SendOutcome {
  return outcome.startedAtMs > 0 ? outcome : { ...outcome, startedAtMs: Date.now() - sinceMs, durationUs: Math.round(sinceMs * 1_000) };
}

/** A connector's word, within our bounds. */
function toOutcome(result: SendResult, answerBytesMax: number): SendOutcome {
  if (result.status === 'unspecified') return faultOutcome('unknown_status', 'The connector gave a result that this platform does not understand.');
  const { peerAnswer } = result;
  const isWhole = peerAnswer.length <= answerBytesMax && !result.peerAnswerCut;
  const kept = isWhole ? peerAnswer : peerAnswer.subarray(0, ANSWER_START_BYTES);
  return {
    status: result.status,
    source: result.source === 'plugin' ? 'plugin' : 'downstream',
    code: /^[a-z0-9_.]{0,64}$/.test(result.code) ? result.code : 'unknown',
    reason: result.reason.slice(0, REASON_CHARS_MAX),
    retryAfterMs: Math.min(result.retryAfterMs, RETRY_AFTER_MS_MAX),
    peerStatus: result.peerStatus,
    // A copy: a view would keep the whole frame alive for as long as somebody keeps the answer.
    peerAnswer: kept.length === 0 ? EMPTY : Buffer.from(kept),
    peerAnswerType: ANSWER_TYPE.test(result.peerAnswerType) ? result.peerAnswerType : '',
    peerAnswerCut: answerBytesMax > 0 && !isWhole,
    startedAtMs: result.startedAtUs / 1_000,
    durationUs: result.durationUs,
  };
}
