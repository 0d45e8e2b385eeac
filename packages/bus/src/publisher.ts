import { type Msg, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import { type AppError, isAppError } from '@vrsky/kernel/errors';
import { createInFlight } from '@vrsky/kernel/in-flight';
import { refusedByJetStream, tooLarge, unavailable } from './bus-error.ts';
import { isUp, newInbox, onConnectionChange } from './connect.ts';

export interface PubAck {
  stream: string;
  seq: number;
  duplicate: boolean;
}

/** Stores messages in streams. */
export interface StreamPublisher {
  /**
   * Resolves when the server has it on disk. Rejects with AppError: `BUS.UNAVAILABLE` (the outcome is unknown: send it again with
   * the same `Nats-Msg-Id`), `BUS.FULL`, `BUS.TOO_LARGE`, `BUS.REFUSED`.
   */
  publish(subject: string, headers: Record<string, string>, body: Uint8Array): Promise<PubAck>;
  /** Rejects what is pending. */
  close(): void;
}

/** Beyond this many unanswered publishes the server is as good as gone. */
const PENDING_MAX = 8_192;
/** How late a timeout may be noticed. */
const SWEEP_MS = 50;

interface Pending {
  subject: string;
  deadlineMs: number;
  resolve(ack: PubAck): void;
  reject(error: AppError): void;
}

/**
 * One subscription for all answers and one timer for all deadlines: the client library's own publish makes a promise, a timer and
 * a subject for each message, which costs five times as much.
 */
export function createStreamPublisher(nc: NatsConnection, options: { timeoutMs: number }): StreamPublisher {
  const inbox = `${newInbox(nc)}.`;
  // In order of their deadlines, since all wait equally long.
  const pending = createInFlight<Pending>();
  let next = 0;
  let sweeper: NodeJS.Timeout | undefined;
  let closed = false;

  const rejectAll = (why: string): void => {
    for (const entry of pending.clear()) entry.reject(unavailable(`publish to ${entry.subject}: ${why}`));
  };
  const sweep = (): void => {
    const nowMs = performance.now();
    for (const [number, entry] of pending.entries()) {
      if (entry.deadlineMs > nowMs) return;
      pending.take(number);
      entry.reject(unavailable(`publish to ${entry.subject}: no answer within ${options.timeoutMs} ms`));
    }
    clearInterval(sweeper);
    sweeper = undefined;
  };

  const answers = nc.subscribe(`${inbox}*`, {
    callback: (error, message) => {
      if (error) return rejectAll(error.message);
      const entry = pending.take(Number.parseInt(message.subject.slice(inbox.length), 36));
      if (entry === undefined) return; // it came after its deadline
      const answer = readAnswer(entry.subject, message);
      if (isAppError(answer)) entry.reject(answer);
      else entry.resolve(answer);
    },
  });
  const forget = onConnectionChange(nc, {
    // The answer to what is under way went to the connection that is gone.
    down: () => rejectAll('the connection to NATS broke'),
    closed: () => rejectAll('the connection to NATS was closed'),
  });

  return {
    publish(subject, headers, body) {
      // The client would keep it and send it whenever the server comes back, when nobody waits for it any more.
      if (closed || !isUp(nc)) return Promise.reject(unavailable(`publish to ${subject}: NATS is not connected`));
      if (pending.size >= PENDING_MAX) return Promise.reject(unavailable(`publish to ${subject}: ${PENDING_MAX} publishes wait for an answer`));
      const sent = newHeaders();
      for (const name in headers) sent.set(name, headers[name] ?? '');
      const number = next++;
      try {
        nc.publish(subject, body, { headers: sent, reply: inbox + number.toString(36) });
      } catch (error) {
        return Promise.reject(notSent(subject, body.length, error));
      }
      sweeper ??= setInterval(sweep, SWEEP_MS);
      return new Promise((resolve, reject) => pending.add(number, { subject, deadlineMs: performance.now() + options.timeoutMs, resolve, reject }));
    },
    close() {
      closed = true;
      forget();
      answers.unsubscribe();
      rejectAll('the publisher was closed');
    },
  };
}

function readAnswer(subject: string, message: Msg): PubAck | AppError {
  const status = message.headers?.code ?? 0;
  if (status === 503) return unavailable(`publish to ${subject}: no stream takes it, or JetStream is not up`);
  let answer: { stream?: string; seq?: number; duplicate?: boolean; error?: { err_code?: number; description?: string } };
  try {
    answer = JSON.parse(message.string());
  } catch (cause) {
    return unavailable(`publish to ${subject}: the answer is not from a stream (status ${status})`, cause);
  }
  if (answer.error !== undefined) return refusedByJetStream(`publish to ${subject}`, answer.error.err_code ?? 0, answer.error.description ?? 'refused');
  if (answer.stream === undefined || !answer.seq) return unavailable(`publish to ${subject}: the answer is not from a stream`);
  return { stream: answer.stream, seq: answer.seq, duplicate: answer.duplicate === true };
}

function notSent(subject: string, bytes: number, error: unknown): AppError {
  const isSize = error instanceof Error && error.message.includes('max_payload');
  return isSize
    ? tooLarge(`publish to ${subject}: ${bytes} bytes and headers are more than the NATS server takes`)
    : unavailable(`publish to ${subject}`, error);
}
