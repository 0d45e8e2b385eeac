import type { ReceivedRequest } from '@vrsky/contracts/receiver';

/** A request as it is kept: cheap to store, made readable only when somebody asks. */
export interface KeptRequest {
  receivedAtMs: number;
  method: string;
  url: string;
  /** Names and values in turn, as node:http has them. */
  rawHeaders: string[];
  body: Buffer;
}

/** The last requests of one tenant: never more than `requestsMax`, never more than `bytesMax`; the oldest give way. */
export interface Bin {
  add(request: KeptRequest): void;
  /** Oldest first, at most `limit` of the newest. */
  list(limit: number): KeptRequest[];
  /** Calls `listener` with each arrival until the returned function is called. */
  watch(listener: () => void): () => void;
  readonly watchers: number;
}

export function createBin(bounds: { requestsMax: number; bytesMax: number }): Bin {
  const ring: (KeptRequest | undefined)[] = new Array(bounds.requestsMax);
  const listeners = new Set<() => void>();
  let first = 0;
  let count = 0;
  let bytes = 0;

  const dropOldest = (): void => {
    const oldest = ring[first];
    ring[first] = undefined;
    first = (first + 1) % bounds.requestsMax;
    count--;
    bytes -= oldest ? sizeOf(oldest) : 0;
  };

  return {
    get watchers() {
      return listeners.size;
    },
    add(request) {
      if (count === bounds.requestsMax) dropOldest();
      ring[(first + count) % bounds.requestsMax] = request;
      count++;
      bytes += sizeOf(request);
      while (bytes > bounds.bytesMax && count > 1) dropOldest();
      for (const listener of listeners) listener();
    },
    list(limit) {
      const kept: KeptRequest[] = [];
      for (let i = Math.max(0, count - limit); i < count; i++) {
        const request = ring[(first + i) % bounds.requestsMax];
        if (request) kept.push(request);
      }
      return kept;
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The shape that `GET <bin>` answers. */
export function toReceivedRequest(kept: KeptRequest): ReceivedRequest {
  return {
    receivedAt: new Date(kept.receivedAtMs).toISOString(),
    method: kept.method,
    url: kept.url,
    headers: toHeaders(kept.rawHeaders),
    bodyBase64: kept.body.toString('base64'),
  };
}

export function findHeader(kept: KeptRequest, name: string): string | null {
  for (let i = 0; i < kept.rawHeaders.length; i += 2) if (kept.rawHeaders[i]?.toLowerCase() === name) return kept.rawHeaders[i + 1] ?? null;
  return null;
}

function toHeaders(raw: string[]): Record<string, string> {
  // Without a prototype: a header may be called __proto__.
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}

function sizeOf(request: KeptRequest): number {
  let size = request.body.length + request.url.length + 64;
  for (const text of request.rawHeaders) size += text.length;
  return size;
}
