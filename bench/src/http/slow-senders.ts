/** Connections that begin a request and send the rest a byte at a time (slowloris), half of them in the headers and half in the body. Speaks over IPC. */
import net from 'node:net';

const url = new URL(process.argv[2] ?? '');
const count = Number(process.argv[3]);
const BYTE_MS = 100;

const sockets = Array.from({ length: count }, (_, i) => {
  const socket = net.connect(Number(url.port), '127.0.0.1');
  const head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n`;
  socket.write(i % 2 === 0 ? `${head}x-slow: ` : `${head}content-length: 100000\r\n\r\n{`);
  socket.on('error', () => undefined); // cut off, as it should be
  socket.resume();
  return socket;
});
setInterval(() => {
  for (const socket of sockets) if (socket.writable) socket.write('a');
}, BYTE_MS);
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
