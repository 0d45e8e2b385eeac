import type { NatsConnection } from '@nats-io/transport-node';
import { refusedByJetStream, toBusError, unavailable } from './bus-error.ts';
import { isUp } from './connect.ts';

export interface StoredMessage {
  subject: string;
  seq: number;
  timeMs: number;
  headers: Record<string, string>;
  data: Uint8Array;
}

const TIMEOUT_MS = 5_000;

/** The message at this sequence of a stream, or null when it is not there (any more). Read directly: costs no consumer. */
export async function getStored(nc: NatsConnection, stream: string, seq: number): Promise<StoredMessage | null> {
  return directGet(nc, stream, `$JS.API.DIRECT.GET.${stream}`, JSON.stringify({ seq }));
}

/** The newest message under a subject. The subject is part of the request's, so that permissions can be given for it. */
export async function getLastStored(nc: NatsConnection, stream: string, subject: string): Promise<StoredMessage | null> {
  return directGet(nc, stream, `$JS.API.DIRECT.GET.${stream}.${subject}`, '');
}

async function directGet(nc: NatsConnection, stream: string, request: string, body: string): Promise<StoredMessage | null> {
  const doing = `read from ${stream}`;
  if (!isUp(nc)) throw unavailable(`${doing}: NATS is not connected`);
  const answer = await nc.request(request, body, { timeout: TIMEOUT_MS }).catch((error: unknown) => {
    throw toBusError(doing, error);
  });
  const code = answer.headers?.code ?? 0;
  if (code === 404) return null;
  if (code !== 0) throw refusedByJetStream(doing, code, answer.headers?.description ?? '');
  const headers: Record<string, string> = {};
  // The server adds its own headers behind those of the message, so the last value of a name is the one to trust.
  for (const [name, values] of answer.headers ?? []) headers[name] = values.at(-1) ?? '';
  const {
    'Nats-Stream': _stream,
    'Nats-Subject': subject = '',
    'Nats-Sequence': sequence,
    'Nats-Time-Stamp': time = '',
    'Nats-Num-Pending': _pending,
    'Nats-Last-Sequence': _last,
    ...own
  } = headers;
  return { subject, seq: Number(sequence), timeMs: Date.parse(time), headers: own, data: answer.data };
}
