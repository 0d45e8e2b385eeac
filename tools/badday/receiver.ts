import { type BinBehaviour, type BinRequest, requestBin } from '@vrsky/testkit/request-bin';

export type Manners = BinBehaviour | ((request: BinRequest, count: number) => BinBehaviour);

/** Where pipelines of a test send to: one server, and for each path its own manners. */
export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** Everything that came, whatever its path. */
  readonly requests: readonly BinRequest[];
  at(path: string): Inbox;
  down(): Promise<void>;
  up(): Promise<void>;
}

/** What one path of the receiver got, and how it answers. */
export interface Inbox {
  readonly url: string;
  requests(): BinRequest[];
  /** From now on; a function hears how many came to this path before and with the request. */
  behave(manners: Manners): void;
}

export async function startReceiver(): Promise<Receiver> {
  const bin = await requestBin();
  const manners = new Map<string, Manners>();
  const counts = new Map<string, number>();
  bin.behave((request) => {
    const count = (counts.get(request.url) ?? 0) + 1;
    counts.set(request.url, count);
    const rule = manners.get(request.url) ?? {};
    return typeof rule === 'function' ? rule(request, count) : rule;
  });
  return {
    port: bin.port,
    requests: bin.requests,
    at: (path) => ({
      url: `${bin.url}/${path}`,
      requests: () => bin.requests.filter((request) => request.url === `/${path}`),
      behave: (rule) => void manners.set(`/${path}`, rule),
    }),
    down: () => bin.down(),
    up: () => bin.up(),
    [Symbol.asyncDispose]: () => bin.close(),
  };
}
