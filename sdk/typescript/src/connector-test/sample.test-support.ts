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
    receive(opened) {
      intake = opened;
    },
    configure(connections) {
      for (const { connectionId, settings } of connections) for (const text of settings.texts) submit(connectionId, text);
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
function submit(connectionId: string, text: string): void {
  if (intake === null || intake.room === 0) setTimeout(submit, 5, connectionId, text);
  else
    void intake.submit({ connectionId, payload: Buffer.from(text), contentType: 'text/plain' }).then((receipt) => log('info', 'receipt', { text, ...receipt }));
}
