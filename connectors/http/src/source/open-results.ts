import type { ServerResponse } from 'node:http';
import type { Reply } from '@vrsky/sdk/connector';

export interface OpenResultsOptions {
  /** Senders that may wait at a time: of one connection, and of all. */
  perConnectionMax: number;
  max: number;
  /** Bodies of results that their senders have not taken yet, all together. */
  unsentBytesMax: number;
  /** A sender that has not taken its result after this time is cut off. */
  sendMs: number;
  /** Writes the result; the response is still open. */
  answer(response: ServerResponse, messageId: string, reply: Reply): void;
}

/** Responses that stay open until their pipeline's result is there. */
export interface OpenResults {
  /** A message whose result will be told with `settle`, exactly once. What comes before `ready` is kept until then. */
  expect(messageId: string): void;
  /** Its sender waits, or has gone. */
  ready(messageId: string): void;
  /** Keeps a response open for it. False when nothing is expected for this message, or too many wait already: answer it at once. */
  wait(connectionId: string, messageId: string, response: ServerResponse): boolean;
  settle(messageId: string, reply: Reply): void;
  /** Answers all that wait now. */
  settleAll(reply: Reply): void;
  /** Cuts off those who do not take their result. */
  expire(nowMs: number): void;
  readonly waiting: number;
}

interface Expected {
  readonly responses: Set<ServerResponse>;
  isReady: boolean;
  /** The result of a message whose sender does not wait yet. */
  early: Reply | null;
}

export function createOpenResults(options: OpenResultsOptions): OpenResults {
  /** Messages that a repeat of the sender's may still wait for, also when the first sender has gone. */
  const expected = new Map<string, Expected>();
  const perConnection = new Map<string, number>();
  const unsent = new Map<ServerResponse, { untilMs: number; bytes: number }>();
  let waiting = 0;
  let unsentBytes = 0;

  const send = (response: ServerResponse, messageId: string, reply: Reply): void => {
    const bytes = reply.payload.length;
    const fits = unsentBytes + bytes <= options.unsentBytesMax;
    unsentBytes += fits ? bytes : 0;
    unsent.set(response, { untilMs: performance.now() + options.sendMs, bytes: fits ? bytes : 0 });
    response.once('close', () => {
      unsentBytes -= unsent.get(response)?.bytes ?? 0;
      unsent.delete(response);
    });
    options.answer(response, messageId, fits ? reply : pendingReply);
  };

  const tell = (messageId: string, { responses }: Expected, reply: Reply): void => {
    expected.delete(messageId);
    for (const response of [...responses]) send(response, messageId, reply);
  };

  return {
    get waiting() {
      return waiting;
    },
    expect(messageId) {
      expected.set(messageId, { responses: new Set(), isReady: false, early: null });
    },
    ready(messageId) {
      const found = expected.get(messageId);
      if (found === undefined) return;
      found.isReady = true;
      if (found.early !== null) tell(messageId, found, found.early);
    },
    wait(connectionId, messageId, response) {
      const responses = expected.get(messageId)?.responses;
      const own = perConnection.get(connectionId) ?? 0;
      if (responses === undefined || own >= options.perConnectionMax || waiting >= options.max) return false;
      responses.add(response);
      waiting++;
      perConnection.set(connectionId, own + 1);
      // Answered or left by its sender.
      response.once('close', () => {
        responses.delete(response);
        waiting--;
        const left = (perConnection.get(connectionId) ?? 1) - 1;
        if (left === 0) perConnection.delete(connectionId);
        else perConnection.set(connectionId, left);
      });
      return true;
    },
    settle(messageId, reply) {
      const found = expected.get(messageId);
      if (found?.isReady) tell(messageId, found, reply);
      else if (found !== undefined) found.early = reply;
    },
    settleAll(reply) {
      for (const [messageId, { responses }] of expected) {
        const answered = [...responses];
        responses.clear();
        for (const response of answered) send(response, messageId, reply);
      }
    },
    expire(nowMs) {
      for (const [response, { untilMs }] of unsent) if (untilMs <= nowMs) response.destroy();
    },
  };
}

/** There is nothing to tell: the message is stored and worked on. */
export const pendingReply: Reply = { status: 'pending', payload: new Uint8Array(0), contentType: '', peerStatus: 0, code: '', reason: '' };
