import { type buildConnector, Client } from 'undici';

/** The connections to one origin: one request at a time on each, and a queue for the rest, so that a request's clock starts when it really goes out. */
export interface Lane {
  /** Calls `run` with a connection of its own, now or when one is free; give it back with `release`. */
  acquire(run: (client: Client) => void): void;
  release(client: Client): void;
}

export interface Lanes {
  /** null when there are too many origins at work. */
  find(origin: string): Lane | null;
  close(): Promise<void>;
}

export interface LanesOptions {
  connect: buildConnector.connector;
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
    for (const [origin, lane] of lanes) {
      if (!lane.isIdle()) continue;
      lanes.delete(origin);
      void lane.close();
      return true;
    }
    return false;
  };
  return {
    find(origin) {
      const known = lanes.get(origin);
      if (known !== undefined) {
        if (lanes.size > options.originsMax / 2) {
          lanes.delete(origin); // and back in as the newest
          lanes.set(origin, known);
        }
        return known;
      }
      if (lanes.size >= options.originsMax && !makeRoom()) return null;
      const lane = createLane(origin, options);
      lanes.set(origin, lane);
      return lane;
    },
    async close() {
      await Promise.all([...lanes.values()].map((lane) => lane.close()));
      lanes.clear();
    },
  };
}

function createLane(origin: string, { connect, connectionsMax }: LanesOptions): OriginLane {
  const free: Client[] = [];
  const clients: Client[] = [];
  let queue: ((client: Client) => void)[] = [];
  /** Where the queue begins; moving every element up at each turn would cost more than it holds. */
  let head = 0;

  const makeClient = (): Client => {
    const client = new Client(origin, {
      connect,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // One clock of ours covers the whole request.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    clients.push(client);
    return client;
  };
  return {
    acquire(run) {
      // The one used last: its connection is the most likely to be still open, and unneeded ones get the time to close.
      const client = free.pop() ?? (clients.length < connectionsMax ? makeClient() : undefined);
      if (client !== undefined) run(client);
      else queue.push(run);
    },
    release(client) {
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
    },
    isIdle: () => free.length === clients.length,
    async close() {
      await Promise.all(clients.map((client) => client.destroy()));
    },
  };
}
const QUEUE_TRIM = 1_024;
const released = (): void => undefined;
