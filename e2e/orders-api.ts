import http from 'node:http';
import Provider from 'oidc-provider';

export interface ApiAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

export interface ApiRequest {
  /** Of the platform; the same on every attempt. */
  messageId: string;
  body: string;
  atMs: number;
  status: number;
}

/** A receiver that takes requests with a token of its own OAuth server alone. */
export interface OrdersApi {
  readonly tokenUrl: string;
  readonly url: string;
  readonly client: { id: string; secret: string; scope: string };
  /** Requests with a good token, in order of arrival. */
  readonly requests: ApiRequest[];
  readonly tokensIssued: number;
  /** How the next requests are answered, one each; then 200 again. */
  answerNext(...answers: ApiAnswer[]): void;
  /** Refuses connections, and breaks those that are open. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Listens on the port of `origin`. */
export async function startOrdersApi(origin: string): Promise<OrdersApi> {
  const client = { id: 'vrsky', secret: 'the-secret-of-the-client', scope: 'orders' };
  const provider = new Provider(origin, {
    clients: [
      {
        ...{ client_id: client.id, client_secret: client.secret, token_endpoint_auth_method: 'client_secret_basic', scope: client.scope },
        ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    scopes: [client.scope],
    ttl: { ClientCredentials: 600 },
  });
  const requests: ApiRequest[] = [];
  const answers: ApiAnswer[] = [];
  let tokensIssued = 0;
  provider.on('grant.success', () => tokensIssued++);

  const take = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const chunks = await request.toArray();
    const token = await provider.ClientCredentials.find(request.headers.authorization?.replace('Bearer ', '') ?? '');
    if (!token?.isValid) return void response.writeHead(401).end('no valid token');
    const { status, headers = {}, body = 'taken' } = answers.shift() ?? { status: 200 };
    const messageId = String(request.headers['idempotency-key']).split('/')[0] ?? '';
    requests.push({ messageId, body: Buffer.concat(chunks).toString('utf8'), atMs: Date.now(), status });
    response.writeHead(status, headers).end(body);
  };
  const server = http.createServer((request, response) => {
    if (request.url === '/token') return void provider.callback()(request, response);
    take(request, response).catch((error) => response.destroy(error));
  });
  const { hostname, port } = new URL(origin);
  const up = (): Promise<void> => new Promise((resolve, reject) => server.once('error', reject).listen(Number(port), hostname, resolve));
  await up();
  return {
    tokenUrl: `${origin}/token`,
    url: `${origin}/orders`,
    client,
    requests,
    get tokensIssued() {
      return tokensIssued;
    },
    answerNext(...next) {
      answers.push(...next);
    },
    up,
    async down() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
