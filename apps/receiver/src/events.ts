import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Bin } from './bin.ts';

const WATCHERS_MAX = 50;
const KEEP_ALIVE_MS = 15_000;
/** A busy bin tells at most this often; the first arrival after a pause is told at once. */
const TELL_EVERY_MS = 100;
const BACKLOG_BYTES_MAX = 65_536;

/** Server-sent events: one `arrival` with how many requests came since the last one. */
export function serveEvents(bin: Bin, request: IncomingMessage, response: ServerResponse, closing: AbortSignal): void {
  if (bin.watchers >= WATCHERS_MAX) {
    response.writeHead(429, { 'retry-after': '5', 'content-length': 0 });
    response.end();
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  response.write(': connected\n\n');

  let waiting = 0;
  let pause: NodeJS.Timeout | undefined;
  const tell = (): void => {
    pause = undefined;
    if (waiting === 0) return;
    // A reader who does not read is let go; its client comes back and asks for the list.
    if (response.writableLength > BACKLOG_BYTES_MAX) return void response.destroy();
    response.write(`event: arrival\ndata: {"count":${waiting}}\n\n`);
    waiting = 0;
    pause = setTimeout(tell, TELL_EVERY_MS);
  };
  const unwatch = bin.watch(() => {
    waiting++;
    if (!pause) tell();
  });
  const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  const end = (): void => {
    unwatch();
    clearTimeout(pause);
    clearInterval(keepAlive);
    closing.removeEventListener('abort', end);
    response.end();
  };
  request.on('close', end);
  closing.addEventListener('abort', end, { once: true });
}
