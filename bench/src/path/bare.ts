/** The limit to be held against: one process, node:http in, JSON parsed and printed, undici out, answered after delivery. Stores nothing. */
import http from 'node:http';
import type net from 'node:net';
import { Pool } from 'undici';

const target = new URL(process.argv[2] ?? '');
const pool = new Pool(target.origin, { connections: 64, pipelining: 1 });

function forward(body: Buffer): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let status = 502;
  pool.dispatch(
    { path: target.pathname, method: 'POST', headers: ['content-type', 'application/json'], body },
    {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData() {},
      onResponseEnd() {
        resolve(status);
      },
      onResponseError() {
        resolve(502);
      },
    },
  );
  return promise;
}

const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    void forward(Buffer.from(JSON.stringify(value))).then((status) => {
      response.writeHead(status < 300 ? 202 : 502, { 'content-length': 0 });
      response.end();
    });
  });
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
