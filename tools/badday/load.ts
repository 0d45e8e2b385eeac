import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@vrsky/testkit/eventually';
import { type Answer, post } from './tenant.ts';

/** What became of one POST, as its sender knows it. */
export interface Sent {
  readonly name: string;
  readonly kind: string;
  /** `unknown`: the connection broke before an answer. */
  readonly heard: 'accepted' | 'refused' | 'unknown';
  readonly answer: Answer | null;
  /** Of an accepted one. */
  readonly messageId: string | null;
}

/** Senders that go on at their pace whatever they hear, like the world does. */
export interface Load {
  readonly sent: readonly Sent[];
  accepted(): Sent[];
  /** Resolves when so many more were accepted. */
  more(count: number): Promise<void>;
  /** Resolves when every POST under way has its answer. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  url: string;
  /** At most so many a second over all senders: one that waits for its answer sends nothing meanwhile. */
  perSecond: number;
  senders: number;
  /** The kind of the message with this number. Its body is `{"name":…,"kind":…}`. */
  kindOf(number: number): string;
}

export function startLoad({ url, perSecond, senders, kindOf }: LoadOptions): Load {
  const sent: Sent[] = [];
  let accepted = 0;
  let next = 0;
  let isOver = false;
  const everyMs = (senders / perSecond) * 1_000;

  const sendOne = async (): Promise<void> => {
    const number = next++;
    const [name, kind] = [`message ${number}`, kindOf(number)];
    // A connection that breaks is what these tests are about: it is the third thing that a sender can hear.
    const answer = await post(url, JSON.stringify({ name, kind })).catch(() => null);
    const messageId = answer?.status === 202 ? (answer.body as { messageId: string }).messageId : null;
    if (messageId !== null) accepted++;
    sent.push({ name, kind, heard: answer === null ? 'unknown' : messageId === null ? 'refused' : 'accepted', answer, messageId });
  };
  const sender = async (offsetMs: number): Promise<void> => {
    let dueMs = performance.now() + offsetMs;
    while (!isOver) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await pause(waitMs);
      dueMs = Math.max(dueMs + everyMs, performance.now());
      await sendOne();
    }
  };
  const running = Array.from({ length: senders }, (_, i) => sender((i / senders) * everyMs));
  return {
    sent,
    accepted: () => sent.filter(({ heard }) => heard === 'accepted'),
    async more(count) {
      const wanted = accepted + count;
      await eventually(() => accepted >= wanted, { timeoutMs: 90_000, what: `${wanted} accepted messages (${accepted} when asked)` });
    },
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}
