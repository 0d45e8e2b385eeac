import { type NatsConnection, headers as newHeaders } from '@nats-io/transport-node';
import { connectBus, isUp, onConnectionChange } from '@vrsky/bus/connect';
import { createStreamPublisher, type PubAck, type StreamPublisher } from '@vrsky/bus/publisher';
import { limits } from '@vrsky/contracts/limits';
import { inboxPrefix } from '@vrsky/contracts/subjects';
import { AppError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';

/** This node's way into one tenant's NATS account. It may be there before NATS is, and outlives every loss of it. */
export interface TenantBus {
  readonly tenantId: string;
  isUp(): boolean;
  /** Resolves with the connection once there has been one; rejects when the bus is closed before. */
  readonly connected: Promise<NatsConnection>;
  /** Rejects at once with `BUS.UNAVAILABLE` while NATS is away: nothing waits here for its return. */
  publish(subject: string, headers: Record<string, string>, body: Uint8Array): Promise<PubAck>;
  /** Sends it without an answer and without storing it; while NATS is away, or when it is too large, it is gone. Never throws. */
  tell(subject: string, headers: Record<string, string>, body: Uint8Array): void;
  /** Calls back each time NATS comes back. Returns the function that ends it. */
  onUp(listener: () => void): () => void;
  /** Used from the next connect on. */
  renew(jwt: string): void;
  close(): Promise<void>;
}

export interface TenantBusOptions {
  url: string;
  tenantId: string;
  nodeId: string;
  seed: string;
  jwt: string;
  log: Log;
}

const flushMs = 500;

/** Begins to connect and comes back at once. */
export function openTenantBus(options: TenantBusOptions): TenantBus {
  const { tenantId, nodeId, log } = options;
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let jwt = options.jwt;
  let connection: NatsConnection | null = null;
  let publisher: StreamPublisher | null = null;

  const connect = async (): Promise<NatsConnection> => {
    const nc = await connectBus({
      url: options.url,
      name: `node ${nodeId} for ${tenantId}`,
      inbox: inboxPrefix(nodeId),
      credentials: () => ({ jwt, seed: options.seed }),
      waitOnFirstConnect: true,
      stop: stop.signal,
      log: (line) => log.warn({ tenantId }, line),
    });
    if (stop.signal.aborted) {
      await nc.close();
      throw closed(tenantId);
    }
    connection = nc;
    publisher = createStreamPublisher(nc, { timeoutMs: limits.pubAckWaitMs });
    onConnectionChange(nc, { up: () => listeners.forEach((listener) => listener()) });
    log.info({ tenantId }, 'connected to the account of the tenant');
    return nc;
  };
  const connected = connect();
  // Whoever waits for it sees the failure; when nobody does, a close before the first connection is no fault.
  connected.catch(() => {});

  return {
    tenantId,
    connected,
    isUp: () => connection !== null && isUp(connection),
    publish(subject, headers, body) {
      return publisher === null
        ? Promise.reject(
            new AppError({ code: 'BUS.UNAVAILABLE', kind: 'unavailable', message: `publish to ${subject}: NATS was not reached yet`, retryAfterMs: 1_000 }),
          )
        : publisher.publish(subject, headers, body);
    },
    tell(subject, headers, body) {
      if (connection === null || !isUp(connection)) return; // kept by the client it would leave when nobody waits for it any more
      const sent = newHeaders();
      for (const name in headers) sent.set(name, headers[name] ?? '');
      try {
        connection.publish(subject, body, { headers: sent });
      } catch (error) {
        log.debug({ tenantId, subject, err: error }, 'a message without an answer could not be sent');
      }
    },
    onUp(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    renew(next) {
      jwt = next;
    },
    async close() {
      stop.abort();
      publisher?.close();
      if (connection === null) return;
      // Packs were given back a moment ago: said now, they come again at once, and not after the server's waiting time.
      if (isUp(connection))
        await Promise.race([connection.flush(), sleep(flushMs)]).catch((error: unknown) =>
          log.debug({ tenantId, err: error }, 'NATS went away while the node stopped'),
        );
      await connection.close();
    },
  };
}

function closed(tenantId: string): AppError {
  return new AppError({ code: 'BUS.CLOSED', kind: 'cancelled', message: `the connection for ${tenantId} was closed before it was there` });
}
