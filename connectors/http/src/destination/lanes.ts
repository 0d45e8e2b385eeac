import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type buildConnector, Client } from 'undici';
import type { Way } from './egress.ts';

/**
 * The connections to one origin by one way: one request at a time on each (several where it is HTTP/2), and a queue for the rest, so that a
 * request's clock starts when it really goes out.
 */
export interface Lane {
  /** Calls `run` with a connection of its own, now or when one is free; give it back with `release`. */
  acquire(run: (client: Client) => void): void;
  release(client: Client): void;
}

export interface Lanes {
  /** null when there are too many origins at work. */
  find(origin: string, way: Way): Lane | null;
  close(): Promise<void>;
}

export interface LanesOptions {
  egress(way: Way): buildConnector.connector;
  originsMax: number;
  connectionsMax: number;
}

interface OriginLane extends Lane {
  isIdle(): boolean;
  close(): Promise<void>;
}

const HEADER_BYTES_MAX = 16_384;
/** Below what servers commonly allow (Node: 5 s), so that we rarely send on a connection that is just being closed. */
const IDLE_MS = 4_000;

/** A bounded number of origins, the longest unused one giving way to a new one. */
export function createLanes(options: LanesOptions): Lanes {
  const lanes = new Map<string, OriginLane>();

  const makeRoom = (): boolean => {
    for (const [key, lane] of lanes) {
      if (!lane.isIdle()) continue;
      lanes.delete(key);
      void lane.close();
      return true;
    }
    return false;
  };
  return {
    find(origin, way) {
      const key = way.key === '' ? origin : `${origin} ${way.key}`;
      const known = lanes.get(key);
      if (known !== undefined) {
        if (lanes.size > options.originsMax / 2) {
          lanes.delete(key); // and back in as the newest
          lanes.set(key, known);
        }
        return known;
      }
      if (lanes.size >= options.originsMax && !makeRoom()) return null;
      const lane = createLane(origin, way, options);
      lanes.set(key, lane);
      return lane;
    },
    async close() {
      await Promise.all([...lanes.values()].map((lane) => lane.close()));
      lanes.clear();
    },
  };
}

/** To a receiver that may speak HTTP/2, as long as it has not said that it does not: each one may carry many. */
const WIDE_CONNECTIONS_MAX = 8;
/** On one connection of HTTP/2; every receiver allows at least this many (RFC 9113 §6.5.2 asks for 100). */
const STREAMS_MAX = 64;

function createLane(origin: string, way: Way, { egress, connectionsMax }: LanesOptions): OriginLane {
  const connect = egress(way);
  const free: Client[] = [];
  const clients: Client[] = [];
  let slots = 0;
  let clientsMax = way.http2 ? Math.min(WIDE_CONNECTIONS_MAX, connectionsMax) : connectionsMax;
  let queue: ((client: Client) => void)[] = [];
  /** Where the queue begins; moving every element up at each turn would cost more than it holds. */
  let head = 0;

  const makeClient = (): Client => {
    let isWide = false;
    /** What is spoken shows when it is connected. HTTP/2 carries several at a time from then on; otherwise there may be more connections. */
    const widen = (socket: Socket): void => {
      if (isWide) return;
      if ((socket as TLSSocket).alpnProtocol !== 'h2') {
        clientsMax = connectionsMax;
        while (queue[head] !== undefined && clients.length < clientsMax) offer(makeClient());
        return;
      }
      isWide = true;
      slots += STREAMS_MAX - 1;
      for (let i = 1; i < STREAMS_MAX; i++) offer(client);
    };
    const client: Client = new Client(origin, {
      connect: way.http2 ? watch(connect, widen) : connect,
      ...(way.http2 ? { maxConcurrentStreams: STREAMS_MAX } : { pipelining: 1 }),
      allowH2: way.http2,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // One clock of ours covers the whole request.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    clients.push(client);
    slots++;
    return client;
  };
  const offer = (client: Client): void => {
    const next = queue[head];
    if (next === undefined) {
      free.push(client);
      return;
    }
    queue[head++] = released;
    if (head === queue.length) {
      queue = [];
      head = 0;
    } else if (head >= QUEUE_TRIM) {
      queue = queue.slice(head);
      head = 0;
    }
    next(client);
  };
  return {
    acquire(run) {
      // The one used last: its connection is the most likely to be still open, and unneeded ones get the time to close.
      const client = free.pop() ?? (clients.length < clientsMax ? makeClient() : undefined);
      if (client !== undefined) run(client);
      else queue.push(run);
    },
    release: offer,
    isIdle: () => free.length === slots,
    async close() {
      await Promise.all(clients.map((client) => client.destroy()));
    },
  };
}

/** Tells of each connection before the client has it. */
function watch(connect: buildConnector.connector, onConnected: (socket: Socket) => void): buildConnector.connector {
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      callback(null, socket);
      onConnected(socket as Socket);
    });
}

const QUEUE_TRIM = 1_024;
const released = (): void => undefined;
