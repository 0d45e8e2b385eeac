import * as z from 'zod';
import { createConnectorLog, defineConnector, type Intake, secret } from '../connector.ts';

const log = createConnectorLog('sample');
let intake: Intake | null = null;

/** A connector for tests: its source sends what its settings say once, its destination says what it was given. */
export const sample = defineConnector({
  manifest: { name: 'sample', version: '1.0.0', title: 'Sample', description: 'For tests.' },
  test: ({ role }) => [{ name: `Try the ${role}`, passed: true, detail: 'It works.' }],
  source: {
    settings: z.strictObject({ texts: z.array(z.string()) }),
    replies: true,
    receive(opened) {
      intake = opened;
    },
    configure(connections) {
      for (const { connectionId, settings, replyWithinMs } of connections)
        for (const text of settings.texts) void submit({ connectionId, replyWithinMs }, text);
    },
  },
  destination: {
    settings: z.strictObject({ key: secret().optional() }),
    configure(connections) {
      for (const connection of connections) {
        const key = connection.settings.key && connection.secret(connection.settings.key);
        log('info', 'configured', { key, lengths: key?.versions.map((version) => version.bytes().length) });
      }
    },
    async send({ payload, messageId, customerId }) {
      const text = Buffer.from(payload).toString();
      if (text === 'hang') return new Promise<never>(() => undefined);
      return text === 'bad'
        ? { status: 'permanent', code: 'bad', reason: 'It is bad.' }
        : { status: 'ok', peerAnswer: Buffer.from(`${customerId} ${messageId} ${text}`) };
    },
  },
});

/** The stream may not be open yet. */
async function submit(to: { connectionId: string; replyWithinMs: number }, text: string): Promise<void> {
  if (intake === null || intake.room === 0) {
    setTimeout(submit, 5, to, text);
    return;
  }
  const { reply, ...receipt } = await intake.submit({ ...to, payload: Buffer.from(text), contentType: 'text/plain' });
  log('info', 'receipt', { text, ...receipt });
  const made = await reply;
  if (made !== undefined) log('info', 'reply', { text, status: made.status, result: Buffer.from(made.payload).toString() });
}
