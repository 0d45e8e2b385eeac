/** The receiver of a benchmark: answers every request with 200 and measures the time since its sender made it. Speaks over IPC. */
import net from 'node:net';
import { LatencyHistogram } from '../report.ts';

export interface SinkStats {
  total: number;
  p50Ms: number;
  p99Ms: number;
}

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok');
const SENT_AT = Buffer.from('"sentAt":');
const histogram = new LatencyHistogram();

const nowUs = () => Number(process.hrtime.bigint() / 1_000n);

function record(body: Buffer): void {
  const at = body.indexOf(SENT_AT);
  if (at < 0) return;
  const sentUs = Number.parseInt(body.toString('latin1', at + SENT_AT.length, at + SENT_AT.length + 20), 10);
  histogram.record(nowUs() - sentUs);
}

/** Reads whole requests off the front of `buffer` and returns what is left. Bodies come with a content-length. */
function takeRequests(buffer: Buffer, answer: () => void): Buffer {
  let from = 0;
  for (;;) {
    const end = buffer.indexOf('\r\n\r\n', from, 'latin1');
    if (end < 0) break;
    const head = buffer.toString('latin1', from, end).toLowerCase();
    const field = head.indexOf('content-length:');
    const length = field < 0 ? 0 : Number.parseInt(head.slice(field + 15), 10);
    const bodyStart = end + 4;
    if (buffer.length < bodyStart + length) break;
    record(buffer.subarray(bodyStart, bodyStart + length));
    from = bodyStart + length;
    answer();
  }
  return from === 0 ? buffer : buffer.subarray(from);
}

const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  let rest: Buffer = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    rest = takeRequests(rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk, () => socket.write(ANSWER));
  });
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('message', (message: 'reset' | 'stats') => {
  if (message === 'reset') histogram.reset();
  else process.send?.({ stats: { total: histogram.total, p50Ms: histogram.percentileMs(50), p99Ms: histogram.percentileMs(99) } satisfies SinkStats });
});
process.on('disconnect', () => process.exit(0));
