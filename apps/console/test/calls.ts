import superjson from 'superjson';
import { serveRest } from '../src/server/serve-rest.ts';
import { serveTrpc } from '../src/server/serve-trpc.ts';

export interface TrpcAnswer {
  status: number;
  data: unknown;
  error: { code: string; appCode: string; message: string; requestId: string; fields: { path: string; message: string }[] } | null;
}

/** One tRPC call over the real HTTP edge. */
export async function trpc(
  kind: 'query' | 'mutation',
  path: string,
  options: { input?: unknown; cookie?: string; tenant?: string; headers?: Record<string, string> },
): Promise<TrpcAnswer> {
  const input = JSON.stringify(superjson.serialize(options.input));
  const url = `http://console.test/api/trpc/${path}${kind === 'query' && options.input !== undefined ? `?input=${encodeURIComponent(input)}` : ''}`;
  const headers = {
    ...(options.cookie ? { cookie: options.cookie } : {}),
    ...(options.tenant ? { 'x-vrsky-tenant': options.tenant } : {}),
    ...options.headers,
  };
  const body =
    kind === 'mutation'
      ? { method: 'POST', body: input, headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(input)) } }
      : { headers };
  const response = await serveTrpc(new Request(url, body));
  const answer = (await response.json()) as { result?: { data: never }; error?: never };
  if (answer.result) return { status: response.status, data: superjson.deserialize(answer.result.data), error: null };
  const { message, data } = superjson.deserialize<{ message: string; data: { code: string; appCode: string; requestId: string; fields: [] } }>(
    answer.error as never,
  );
  return { status: response.status, data: null, error: { message, ...data } };
}

export interface RestAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any operation
  body: any;
}

/** One REST call over the real HTTP edge; `path` below `/api/v1`. */
export async function rest(
  method: string,
  path: string,
  options: { key?: string | undefined; body?: unknown; text?: string; headers?: Record<string, string> } = {},
): Promise<RestAnswer> {
  const url = new URL(`http://console.test/api/v1${path}`);
  const text = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const request = new Request(url, {
    method,
    headers: {
      ...(options.key ? { authorization: `Bearer ${options.key}` } : {}),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
  const segments = url.pathname.split('/').slice(3).map(decodeURIComponent);
  const response = await serveRest(request, { params: Promise.resolve({ path: segments }) });
  const answer = await response.text();
  return { status: response.status, headers: response.headers, body: answer === '' ? null : JSON.parse(answer) };
}
