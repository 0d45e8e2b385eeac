/** The limit that the source is held against: node:http, the body read to its end, 202. Speaks over IPC. */
import http from 'node:http';
import type net from 'node:net';

const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.from(`{"messageId":"msg_01jbenchbenchbenchbenchben","bytes":${Buffer.concat(chunks).length}}`);
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
