import type { ConnectorStream } from '@vrsky/plugin/connector-client';
import type { AckBatchToSend } from '@vrsky/proto/ack-codec';
import { Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type { Message } from '@vrsky/proto/message-codec';
import { answered, type Check, Failed, type Session, Skipped, until } from '../session.ts';

export const receiveChecks: readonly Check[] = [
  {
    name: 'receive.role',
    title: 'A connector that is no source ends Receive',
    async run(session) {
      const { roles } = await session.describe();
      if (roles.includes(Role.SOURCE)) throw new Skipped('It is a source.');
      const stream = (await session.client()).receive(() => undefined);
      stream.write({ acks: [], credit: 1 });
      const ended = await Promise.race([stream.ended.then(() => true), later(session.limits.callMs).then(() => false)]);
      stream.cancel();
      if (!ended) throw new Failed('It is no source, and leaves Receive open without a word: answer UNIMPLEMENTED.');
      return undefined;
    },
  },
  {
    name: 'receive.credit',
    title: 'A source never sends more than it may',
    async run(session) {
      // One, because a source may have no more than that on its way by itself.
      await using line = await openLine(session, 1);
      await line.need(1, 'the limit was never reached');
      await later(session.limits.quietMs);
      line.expectCredit();
      const before = line.received.length;
      line.ack(line.received.slice());
      session.poke();
      await until(() => line.received.length > before, session.limits.sourceMs);
      await later(session.limits.quietMs);
      line.expectCredit();
      return `${line.received.length} came`;
    },
  },
  {
    name: 'receive.shape',
    title: 'A message names its connection, under a number of its own',
    async run(session) {
      await using line = await openLine(session, CREDIT);
      await line.need(1, 'none could be looked at');
      await later(session.limits.quietMs);
      for (const { connectionId, seq } of line.received) {
        if (connectionId !== 'conformance/source')
          throw new Failed(`A message names the connection ${JSON.stringify(connectionId)}, which was never configured.`);
        if (seq === 0) throw new Failed('A message has the seq 0: it begins with 1.');
      }
      if (new Set(line.received.map(({ seq }) => seq)).size < line.received.length) throw new Failed('Two messages of one stream have the same seq.');
      return undefined;
    },
  },
  {
    name: 'receive.acks',
    title: 'Acks that make no sense disturb nothing',
    async run(session) {
      await using line = await openLine(session, CREDIT);
      await line.need(1, 'there was nothing to acknowledge');
      const [first] = line.received as [Message];
      const strange = (seq: number) => ({ seq, status: 'stored' as const, messageId: 'msg_strange', retryAfterMs: 0 });
      line.stream.write({ acks: [strange(first.seq), strange(first.seq), strange(2 ** 40), strange(0)], credit: 0 });
      line.stream.write({ acks: [], credit: 0 });
      await later(session.limits.quietMs);
      if (line.isEnded()) throw new Failed('Acks for messages that it does not know, or twice, end the stream.');
      await answered('The health check after them', (await session.plugin()).ping(session.limits.callMs));
      return undefined;
    },
  },
  {
    name: 'receive.again',
    title: 'After a broken stream the next one is served, and nothing is doubled',
    async run(session) {
      const stored = new Set<string>();
      {
        await using line = await openLine(session, CREDIT);
        await line.need(1, 'no stream could be broken');
        const [first] = line.received as [Message];
        line.ack([first]);
        stored.add(keyOf(first));
        // The others stay without a word.
      }
      await using line = await openLine(session, CREDIT);
      session.poke();
      await until(() => line.received.length > 0, session.limits.sourceMs);
      if (line.received.length === 0) throw new Failed(`After a broken stream a new one gets no message within ${session.limits.sourceMs} ms.`);
      await later(session.limits.quietMs);
      const keys = line.received.map(keyOf);
      if (keys.some((key) => stored.has(key))) throw new Failed('A message that was acknowledged as stored is sent again.');
      if (new Set(keys).size < keys.length) throw new Failed('After a broken stream a message comes twice on the new one.');
      return undefined;
    },
  },
  {
    name: 'receive.replies',
    title: 'A source that says `replies` hands a result to its sender once, and strange ones to nobody',
    async run(session) {
      const { replies } = await session.describe();
      await session.needRole('source');
      if (!replies) throw new Skipped('It does not say `replies`: its senders are answered once their message is stored.');
      await using line = await openLine(session, 1, { replyWithinMs: session.limits.callMs });
      const asked = session.ask();
      await until(() => line.received.length > 0, session.limits.sourceMs);
      const [message] = line.received;
      if (message === undefined) throw new Skipped('No message came whose sender could wait for its result.');
      line.ack([message]);
      line.reply([2 ** 40, 0], 'of nobody');
      line.reply([message.seq], RESULT);
      line.reply([message.seq], 'a second one');
      await later(session.limits.quietMs);
      if (line.isEnded()) throw new Failed('Results for messages that it does not know, or twice, end the stream.');
      await answered('The health check after them', (await session.plugin()).ping(session.limits.callMs));
      if (session.options.request === undefined) return 'no "request" shows what a sender gets';
      const text = await asked;
      if (text !== RESULT) throw new Failed(`The sender was to be answered ${JSON.stringify(RESULT)}, and got ${JSON.stringify(text?.slice(0, 200) ?? null)}.`);
      return 'the sender got its result';
    },
  },
];

const CREDIT = 2;
const RESULT = 'the result of a conformance check';

interface Line extends AsyncDisposable {
  readonly stream: ConnectorStream<AckBatchToSend>;
  readonly received: Message[];
  isEnded(): boolean;
  ack(messages: readonly Message[]): void;
  /** Says what became of messages, by their numbers. */
  reply(seqs: readonly number[], text: string): void;
  /** Throws `Failed` when more messages were without an ack than there may be. */
  expectCredit(): void;
  /** Waits for messages; throws `Skipped` when they do not come. */
  need(count: number, otherwise: string): Promise<void>;
}

/** A source that is configured, with a stream to it. */
async function openLine(session: Session, credit: number, more: Parameters<Session['connection']>[1] = {}): Promise<Line> {
  await session.configure([await session.connection('source', more), ...(await session.connections()).filter(({ role }) => role === Role.DESTINATION)]);
  const received: Message[] = [];
  const acked = new Set<number>();
  let most = 0;
  let ended = false;
  const stream = (await session.client()).receive((messages) => {
    received.push(...messages.map((message) => ({ ...message, payload: Buffer.from(message.payload) })));
    most = Math.max(most, received.length - acked.size);
  });
  void stream.ended.then(() => {
    ended = true;
  });
  stream.write({ acks: [], credit });
  return {
    stream,
    received,
    isEnded: () => ended,
    ack(messages) {
      for (const { seq } of messages) acked.add(seq);
      stream.write({ acks: messages.map(({ seq }) => ({ seq, status: 'stored', messageId: `msg_${seq}`, retryAfterMs: 0 })), credit: 0 });
    },
    reply(seqs, text) {
      const result = { status: 'done' as const, peerStatus: 0, contentType: 'text/plain', payload: Buffer.from(text), code: '', reason: '' };
      stream.write({ acks: [], credit: 0, replies: seqs.map((seq) => ({ seq, ...result })) });
    },
    expectCredit() {
      if (most > credit) throw new Failed(`${most} messages were without an ack at the same time, ${credit} were allowed.`);
    },
    async need(count, otherwise) {
      // Somebody has to send what a source of this kind takes in; more than is allowed, so that the limit is met.
      for (let i = 0; i < count + 2; i++) session.poke();
      await until(() => received.length >= count || ended, session.limits.sourceMs);
      if (ended) throw new Failed(`Receive ends by itself: ${(await stream.ended)?.details ?? 'without an error'}.`);
      if (received.length >= count) return;
      const how =
        session.options.request === undefined
          ? 'give settings of a source that begins by itself, or a "request" that makes it take something in'
          : 'look whether the "request" reaches it';
      throw new Skipped(`${received.length} of ${count} messages came within ${session.limits.sourceMs} ms, so ${otherwise}: ${how}.`);
    },
    async [Symbol.asyncDispose]() {
      stream.cancel();
      await stream.ended;
    },
  };
}

function keyOf({ connectionId, receivedAtUs, headers, payload }: Message): string {
  return JSON.stringify([connectionId, receivedAtUs, headers, Buffer.from(payload).toString('base64')]);
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
