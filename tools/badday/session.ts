/** A person who is signed in: the console's pages and its tRPC API, as their browser asks for them. */
export interface Session {
  /** The console's page under this path, as it is sent to the browser. */
  page(path: string): Promise<{ status: number; location: string | null; html: string }>;
  /** One tRPC call about a tenant. */
  trpc(kind: 'query' | 'mutation', procedure: string, slug: string, input?: unknown): Promise<{ status: number; data: unknown; text: string }>;
}

export async function signIn(consoleUrl: string, { email, password }: { email: string; password: string }): Promise<Session> {
  const csrf = await fetch(`${consoleUrl}/api/auth/csrf`);
  const { csrfToken } = (await csrf.json()) as { csrfToken: string };
  const answer = await fetch(`${consoleUrl}/api/auth/callback/credentials`, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: cookiesOf(csrf), 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ csrfToken, email, password, json: 'true' }),
  });
  const cookie = cookiesOf(answer);
  if (!cookie.includes('next-auth.session-token=')) throw new Error(`${email} could not sign in: ${answer.status} ${await answer.text()}`);

  return {
    async page(path) {
      const response = await fetch(`${consoleUrl}${path}`, { headers: { cookie }, redirect: 'manual' });
      return { status: response.status, location: response.headers.get('location'), html: await response.text() };
    },
    async trpc(kind, procedure, slug, input) {
      const text = JSON.stringify({ json: input ?? null });
      const headers = { cookie, 'x-vrsky-tenant': slug, 'content-type': 'application/json' };
      const query = kind === 'query' && input !== undefined ? `?input=${encodeURIComponent(text)}` : '';
      const response = await fetch(`${consoleUrl}/api/trpc/${procedure}${query}`, kind === 'mutation' ? { method: 'POST', headers, body: text } : { headers });
      const body = await response.text();
      return { status: response.status, data: response.ok ? (JSON.parse(body) as { result: { data: { json: unknown } } }).result.data.json : null, text: body };
    },
  };
}

function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}
