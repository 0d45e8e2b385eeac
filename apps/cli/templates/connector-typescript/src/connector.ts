import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { type Connection, createConnectorLog, defineConnector, type Intake, type Secret, secret } from '@vrsky/sdk/connector';
import * as z from 'zod';
import project from '../vrsky.json' with { type: 'json' };

const log = createConnectorLog(project.name);

const sourceSettings = z.strictObject({
  everyMs: z.int().min(10).max(3_600_000).default(1_000).meta({ title: 'Milliseconds between two messages' }),
});
const destinationSettings = z.strictObject({
  signingKey: secret({ title: 'Signing key', description: 'Each fingerprint is signed with it. Without one it is a plain SHA-256.' }).optional(),
});

let intake: Intake | undefined;
const timers = new Map<string, NodeJS.Timeout>();
/** How to make a fingerprint, by connection. */
let fingerprints = new Map<string, () => Hash | Hmac>();

/** A source that counts, and a destination that writes a fingerprint of each message to the log of the node: signed where there is a key. */
export default defineConnector({
  manifest: {
    name: project.name,
    version: project.version,
    title: 'My connector',
    description: 'Counts, and takes the fingerprints of messages.',
  },

  // What Test connection tries. Reach out, and deliver nothing.
  test: () => [{ name: 'Look around', passed: true, detail: 'There is nothing to reach yet.' }],

  source: {
    settings: sourceSettings,
    receive(opened) {
      intake = opened;
    },
    configure(connections) {
      for (const timer of timers.values()) clearInterval(timer);
      timers.clear();
      for (const connection of connections) timers.set(connection.connectionId, count(connection));
    },
    drain() {
      for (const timer of timers.values()) clearInterval(timer);
    },
  },

  destination: {
    settings: destinationSettings,
    configure(connections) {
      fingerprints = new Map(
        connections.map((connection) => {
          const { signingKey } = connection.settings;
          return [connection.connectionId, maker(signingKey && connection.secret(signingKey))];
        }),
      );
    },
    async send({ connectionId, messageId, payload }) {
      const fingerprint = fingerprints.get(connectionId)?.();
      if (fingerprint === undefined) return { status: 'retryable', source: 'plugin', code: 'not_configured', reason: 'This destination is not set up yet.' };
      if (payload.length === 0) return { status: 'permanent', code: 'empty', reason: 'The message is empty.' };
      log('debug', 'seen', { messageId, fingerprint: fingerprint.update(payload).digest('hex') });
      return { status: 'ok' };
    },
  },
});

function maker(key: Secret | undefined): () => Hash | Hmac {
  return () => (key === undefined ? createHash('sha256') : createHmac('sha256', key.newest.bytes()));
}

/** One message after the other, each until the platform has it. */
function count({ connectionId, settings }: Connection<z.infer<typeof sourceSettings>>): NodeJS.Timeout {
  let n = 1;
  let onItsWay = false;
  return setInterval(async () => {
    if (onItsWay || intake === undefined || intake.room === 0) return;
    onItsWay = true;
    const receipt = await intake.submit({ connectionId, payload: Buffer.from(JSON.stringify({ n })), contentType: 'application/json' });
    if (receipt.status === 'stored') n++;
    onItsWay = false;
  }, settings.everyMs);
}
