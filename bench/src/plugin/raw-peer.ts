/** The other end of a raw unix socket; its argument names the socket. Its twin in Go is sdk/go/internal/benchsocket. */
import net from 'node:net';
import { createRawSender, decodeRawHead, RAW_HEAD_BYTES, receiveRaw } from './raw-line.ts';

const server = net.createServer((socket) => {
  socket.on('error', () => socket.destroy()); // the host ends its lines in the middle of everything
  const begin = (): void => {
    const bytes = socket.read(RAW_HEAD_BYTES) as Buffer | null;
    if (bytes === null) return;
    socket.off('readable', begin);
    const { role, messageBytes, window } = decodeRawHead(bytes);
    if (role === 's') {
      receiveRaw(socket, () => undefined);
      return;
    }
    const { send } = createRawSender(socket, messageBytes);
    const next = (): void => send(next);
    for (let i = 0; i < window; i++) next();
  };
  socket.on('readable', begin);
});
server.listen(process.argv[2], () => process.stdout.write('ready\n'));
