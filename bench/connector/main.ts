import { type Connection, defineConnector, type Intake, serveConnector } from '@vrsky/sdk/connector';

/**
 * A connector that does nothing: it says `ok` to every message, and while it has a connection in the role of a source it hands over
 * messages, as many at a time as the connection's settings say. Its twin in Go is sdk/go/internal/benchplugin.
 */
const payload = Buffer.alloc(1_024, 'x');
const headers: [string, string][] = [['ce-type', 'bench']];
/** While the node's stream is not open yet. */
const AGAIN_MS = 5;

let intake: Intake | null = null;
/** Each set of connections has senders of its own; those of the set before it end. */
let generation = 0;

await serveConnector(
  defineConnector({
    manifest: { name: 'bench', version: '1.0.0', title: 'Bench', description: 'Does nothing, for measurements.' },
    source: {
      settings: { type: 'object' },
      receive(opened) {
        intake = opened;
      },
      configure(connections) {
        generation++;
        for (const connection of connections) startSenders(connection);
        return undefined;
      },
    },
    destination: {
      settings: { type: 'object' },
      configure: () => undefined,
      send(_delivery, done) {
        done({ status: 'ok' });
      },
    },
  }),
);

function startSenders({ connectionId, settings }: Connection): void {
  const of = generation;
  const message = { connectionId, payload, contentType: 'application/octet-stream', headers };
  const send = (): void => {
    if (of !== generation || intake === null) return;
    if (intake.room === 0) setTimeout(send, AGAIN_MS);
    else intake.offer(message, send);
  };
  const { senders } = settings as { senders: number };
  for (let i = 0; i < senders; i++) send();
}
