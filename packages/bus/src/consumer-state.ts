import type { NatsConnection } from '@nats-io/transport-node';
import { jetStreamCodes, toBusError, unavailable } from './bus-error.ts';
import { isUp } from './connect.ts';

export interface ConsumerState {
  /** Packs that nobody has taken. */
  pending: number;
  /** Packs that somebody has in hand. */
  inHand: number;
}

const TIMEOUT_MS = 2_000;

/** What a consumer still has; null when there is no such consumer. Rejects while the server does not answer. */
export async function findConsumerState(nc: NatsConnection, stream: string, consumer: string): Promise<ConsumerState | null> {
  const doing = `look at the consumer ${consumer} of ${stream}`;
  if (!isUp(nc)) throw unavailable(`${doing}: NATS is not connected`);
  const answer = await nc.request(`$JS.API.CONSUMER.INFO.${stream}.${consumer}`, '', { timeout: TIMEOUT_MS }).catch((error: unknown) => {
    throw toBusError(doing, error);
  });
  const { error, num_pending: pending = 0, num_ack_pending: inHand = 0 } = answer.json<Info>();
  if (error === undefined) return { pending, inHand };
  if (error.err_code === jetStreamCodes.consumerNotFound) return null;
  throw unavailable(`${doing}: ${error.description ?? ''} (${error.err_code ?? error.code})`);
}

interface Info {
  error?: { code: number; err_code?: number; description?: string };
  num_pending?: number;
  num_ack_pending?: number;
}
