import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { CliError } from './cli-error.ts';
import { createRestClient } from './rest-client.ts';

// What VRSky itself answers is tried against VRSky, in e2e; here is what stands between it and a person.

let answer = { status: 200, type: 'application/json', body: '' };
const requests: { method: string | undefined; url: string | undefined; authorization: string | undefined }[] = [];
const server = createServer((request, response) => {
  requests.push({ method: request.method, url: request.url, authorization: request.headers.authorization });
  response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
});
const url = await new Promise<string>((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));
afterAll(() => void server.close());

async function failure(work: Promise<unknown>): Promise<CliError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CliError);
  return error as CliError;
}

it('a server that is not there is said with its address', async () => {
  const free = await new Promise<number>((resolve) => {
    const other = createServer().listen(0, '127.0.0.1', () => {
      const { port } = other.address() as AddressInfo;
      other.close(() => resolve(port));
    });
  });
  const error = await failure(createRestClient({ url: `http://127.0.0.1:${free}`, apiKey: 'k' }).getPipeline('pip_1'));
  expect(error.exit).toBe('refused');
  expect(error.message).toBe(`http://127.0.0.1:${free}/api/v1 does not answer (ECONNREFUSED): is VRSky running, and is the URL right?`);
});

it("an answer that is not VRSky's, such as a proxy's page, is not taken for one", async () => {
  for (const given of [
    { status: 502, type: 'text/html', body: '<h1>Bad gateway</h1>' },
    { status: 200, type: 'application/json', body: '{"hello":1}' },
  ]) {
    answer = given;
    expect((await failure(createRestClient({ url, apiKey: 'k' }).getPipeline('pip_1'))).message).toContain('does not answer as VRSky does');
  }
});

it("a refusal is the server's own sentence, with its fields; one of the key says where a key comes from", async () => {
  const problem = { detail: 'This key does not work.', code: 'API_KEY.REFUSED', requestId: 'r', errors: [{ path: '/name', message: 'Give it a name' }] };
  answer = { status: 401, type: 'application/problem+json', body: JSON.stringify(problem) };
  const error = await failure(createRestClient({ url: `${url}/api/v1/`, apiKey: 'secret' }).getPipeline('pip/1'));
  expect(error.message).toBe('This key does not work. Set VRSKY_API_KEY to a key from the console, under API keys.');
  expect(error.details).toEqual(['/name: Give it a name']);
  expect(requests.at(-1)).toEqual({ method: 'GET', url: '/api/v1/pipelines/pip%2F1', authorization: 'Bearer secret' });
});

it('a URL that is none is refused before anything is sent', () => {
  for (const given of ['console', 'ftp://console', '']) expect(() => createRestClient({ url: given, apiKey: 'k' }), given).toThrow(/is not a URL/);
});
