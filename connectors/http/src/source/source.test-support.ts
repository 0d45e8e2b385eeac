import type { Connection, Receipt, Reply, Secret, SecretRef, SourceMessage } from '@vrsky/sdk/connector';
import { Agent } from 'undici';
import type * as z from 'zod';
import type { KeyFetching } from './auth/json-web-token.ts';
import { type HttpSource, listenHttpSource, type SourceLimits } from './http-source.ts';
import { createRouteTable } from './route.ts';
import { createSeenBook } from './seen-ids.ts';
import { type SourceSettings, sourceSettingsSchema } from './settings.ts';

export const PATH = 'in_0123456789abcdefghjkmnpq';
export const stored: Receipt = { status: 'stored', messageId: 'msg_1', retryAfterMs: 0 };

export interface Offer {
  message: SourceMessage;
  answer(receipt: Receipt): void;
  /** What the pipeline made of it. */
  reply(reply: Partial<Reply>): void;
}

type Entered = Partial<z.input<typeof sourceSettingsSchema>>;

/** A connection as the SDK gives it; each secret by name, the newest value first. */
export function connectionOf(settings: Entered, secrets: Record<string, readonly (string | Uint8Array)[]> = {}, connectionId = 'pip/src') {
  const connection: Connection<SourceSettings, 'source'> = {
    connectionId,
    customerId: 'cus_1',
    role: 'source',
    settings: sourceSettingsSchema.parse({ path: PATH, ...settings }),
    answerBytesMax: 0,
    answerOptional: false,
    replyWithinMs: 0,
    secret: ({ $secret }: SecretRef) => secretOf($secret, secrets[$secret] ?? []),
  };
  return connection;
}

function secretOf(name: string, values: readonly (string | Uint8Array)[]): Secret {
  const versions = values.map((value, i) => {
    const bytes = Buffer.from(value as string);
    return { version: values.length - i, bytes: () => Buffer.from(bytes), text: () => bytes.toString('utf8') };
  });
  const [newest] = versions;
  if (newest === undefined) throw new Error(`there is no secret ${name}`);
  return { name, hosts: [], newest, versions };
}

export interface StartOptions {
  limits?: Partial<SourceLimits>;
  /** What the platform says at once; left out, the test answers each offer. */
  receipt?: Receipt | ((index: number) => Receipt);
  connections?: Connection<SourceSettings, 'source'>[];
  keyFetching?: KeyFetching;
  /** Where ids of senders are kept. */
  dataDir?: string;
}

const nothing: Reply = { status: 'done', payload: Buffer.alloc(0), contentType: '', peerStatus: 0, code: '', reason: '' };

/** A source on loopback with a platform that the test plays. */
export async function startSource({ limits = {}, receipt, connections = [connectionOf({})], keyFetching, dataDir }: StartOptions = {}) {
  const offers: Offer[] = [];
  const refusals: string[] = [];
  const source: HttpSource = await listenHttpSource({
    listen: { host: '127.0.0.1', port: 0 },
    limits,
    onRefused: (connectionId, reason) => refusals.push(`${connectionId} ${reason}`),
    intake: {
      offer(message, answer, onReply) {
        const reply = (made: Partial<Reply>) => onReply?.({ ...nothing, ...made });
        offers.push({ message, answer, reply });
        if (receipt !== undefined) answer(typeof receipt === 'function' ? receipt(offers.length) : receipt);
      },
    },
  });
  const book = createSeenBook({ dir: dataDir ?? null, log: () => undefined, onUnwritten: () => undefined });
  await book.load();
  const table = createRouteTable(keyFetching ?? { dispatcher: new Agent() }, book);
  const configure = (next: Connection<SourceSettings, 'source'>[]) => {
    const { routes, errors } = table.build(next);
    source.setRoutes(routes);
    return errors;
  };
  const errors = connections.length === 0 ? [] : configure(connections);
  const origin = `http://127.0.0.1:${source.port}`;
  return { source, offers, refusals, errors, configure, port: source.port, origin, url: `${origin}/in/${PATH}` };
}

/** Each message gets an id of its own: msg_1, msg_2, … */
export const numbered = (index: number): Receipt => ({ ...stored, messageId: `msg_${index}` });
