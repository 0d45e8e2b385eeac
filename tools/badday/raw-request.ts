import { once } from 'node:events';
import net from 'node:net';

/** The first answer on a connection, as it came. */
export interface RawAnswer {
  status: number;
  contentType: string;
  headers: string;
  body: string;
}

/** Sends bytes that no HTTP library would, and reads the answer until it is whole or the other end closes. */
export async function rawRequest(url: string, bytes: string | Buffer, timeoutMs = 20_000): Promise<RawAnswer> {
  const { port, hostname } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const deadline = setTimeout(() => socket.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    await once(socket, 'connect');
    socket.write(bytes);
    let text = '';
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString('latin1');
      const answer = findAnswer(text);
      if (answer !== null) return answer;
    }
    throw new Error(`the connection ended after ${JSON.stringify(text)}`);
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

function findAnswer(text: string): RawAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const headers = text.slice(0, end);
  const body = text.slice(end + 4);
  if (body.length < Number(/^content-length: (\d+)/im.exec(headers)?.[1] ?? Number.POSITIVE_INFINITY)) return null;
  return { status: Number(headers.split(' ', 2)[1]), contentType: /^content-type: (.*)/im.exec(headers)?.[1]?.trim() ?? '', headers, body };
}
