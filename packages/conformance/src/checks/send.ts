import { Role } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type { Message } from '@vrsky/proto/message-codec';
import type { SendResult } from '@vrsky/proto/send-result-codec';
import { type Check, Failed, type Session, Skipped, until } from '../session.ts';

const MESSAGES = 10;
const BATCH = 1_000;
const LARGE_BYTES = 1_048_576;

export const sendChecks: readonly Check[] = [
  {
    name: 'send.role',
    title: 'A connector that is no destination ends Send',
    async run(session) {
      const { roles } = await session.describe();
      if (roles.includes(Role.DESTINATION)) throw new Skipped('It is a destination.');
      const stream = (await session.client()).send(() => undefined);
      let ended = false;
      void stream.ended.then(() => {
        ended = true;
      });
      stream.write([message(1)]);
      const over = await until(() => ended, session.limits.callMs);
      stream.cancel();
      if (!over) throw new Failed('It is no destination, and leaves Send open without a word: answer UNIMPLEMENTED.');
      return undefined;
    },
  },
  {
    name: 'send.results',
    title: 'Every message has exactly one result',
    async run(session) {
      await configureDestination(session);
      return tally(await send(session, numbered(MESSAGES)));
    },
  },
  {
    name: 'send.unknown',
    title: 'A message for a connection that it does not know has a result, too',
    async run(session) {
      await session.needRole('destination');
      await session.configure([]);
      const [result] = await send(session, [message(1, { connectionId: 'conformance/unknown' })]);
      if (result?.status === 'ok') throw new Failed('A message for a connection that it does not know counts as delivered: it is lost.');
      if (result?.reason === '') throw new Failed('A message for a connection that it does not know is refused without a reason.');
      return tally(result === undefined ? [] : [result]);
    },
  },
  {
    name: 'send.large',
    title: 'A message of 1 MiB has its result',
    async run(session) {
      await configureDestination(session);
      return tally(await send(session, [message(1, { payload: Buffer.from(JSON.stringify('x'.repeat(LARGE_BYTES - 2))) })]));
    },
  },
  {
    name: 'send.batch',
    title: '1,000 messages in one frame have their results',
    async run(session) {
      await configureDestination(session);
      return tally(await send(session, numbered(BATCH)));
    },
  },
  {
    name: 'send.broken',
    title: 'A message that cannot be right does not stop the others',
    async run(session) {
      await configureDestination(session);
      return tally(
        await send(session, [
          message(1),
          message(2, { payload: Buffer.alloc(0) }),
          message(3, { payload: Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x0d]), contentType: 'text/\r\nx-injected: 1' }),
          message(4, {
            headers: [
              ['x-\r\n', 'a\r\nb: c'],
              ['', '\u0000'],
            ],
            traceparent: 'not one',
          }),
          message(5, { connectionId: '' }),
          message(6, { messageId: '', customerId: '', attempt: 0 }),
          message(7, { contentType: '' }),
          message(8),
        ]),
      );
    },
  },
];

async function configureDestination(session: Session): Promise<void> {
  await session.configure([await session.connection('destination')]);
}

export function message(seq: number, more: Partial<Message> = {}): Partial<Message> {
  return {
    seq,
    connectionId: 'conformance/destination',
    customerId: 'cus_conformance',
    pipelineId: 'pip_conformance',
    messageId: `msg_conformance_${seq}`,
    attempt: 1,
    receivedAtUs: Date.now() * 1_000,
    contentType: 'application/json',
    payload: Buffer.from(`{"n":${seq}}`),
    ...more,
  };
}

function numbered(count: number): Partial<Message>[] {
  return Array.from({ length: count }, (_, i) => message(i + 1));
}

/** Sends one frame; answers the results in the order of the messages, or throws `Failed` when there is not exactly one for each. */
async function send(session: Session, messages: Partial<Message>[]): Promise<SendResult[]> {
  const bySeq = new Map<number, SendResult[]>();
  let count = 0;
  let ended = false;
  const stream = (await session.client()).send((results) => {
    for (const result of results) {
      count++;
      bySeq.set(result.seq, [...(bySeq.get(result.seq) ?? []), result]);
    }
  });
  void stream.ended.then(() => {
    ended = true;
  });
  try {
    stream.write(messages);
    const complete = await until(() => ended || messages.every(({ seq }) => bySeq.has(seq as number)), session.limits.callMs);
    if (ended) throw new Failed(`Send ends by itself with ${count} of ${messages.length} results: ${(await stream.ended)?.details ?? 'without an error'}.`);
    if (!complete) {
      const silent = messages.filter(({ seq }) => !bySeq.has(seq as number)).map(({ seq }) => seq);
      throw new Failed(
        `${silent.length} of ${messages.length} messages have no result within ${session.limits.callMs} ms (seq ${silent.slice(0, 5).join(', ')}): a node waits for each.`,
      );
    }
    await until(() => count > messages.length, session.limits.quietMs);
  } finally {
    stream.cancel();
  }
  const results = messages.map(({ seq }) => bySeq.get(seq as number) as SendResult[]);
  const doubled = results.find((all) => all.length > 1);
  if (doubled !== undefined) throw new Failed(`The message with seq ${doubled[0]?.seq} has ${doubled.length} results.`);
  if (count > messages.length) throw new Failed('There is a result for a message that was never sent.');
  const first = results.map(([result]) => result as SendResult);
  const unsaid = first.find(({ status }) => status === 'unspecified');
  if (unsaid !== undefined) throw new Failed(`The result of seq ${unsaid.seq} has no status.`);
  return first;
}

function tally(results: readonly SendResult[]): string {
  const counts = new Map<string, number>();
  for (const { status, code } of results) {
    const what = code === '' ? status : `${status} (${code})`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count.toLocaleString('en')} ${what}`).join(', ');
}
