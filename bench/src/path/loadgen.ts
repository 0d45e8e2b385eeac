/**
 * Sends JSON of about 1 KB over keep-alive connections. Closed loop (`rate` 0: the next request follows the answer) or open loop
 * (`rate` a second, latency counted from the intended time, so that a slow server cannot hide its queue). Speaks over IPC.
 */
import net from 'node:net';
import { LatencyHistogram } from '../report.ts';

export interface LoadOrder {
  url: string;
  connections: number;
  seconds: number;
  warmUpSeconds: number;
  rate: number;
}

export interface LoadResult {
  accepted: number;
  refused: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const nowUs = () => Number(process.hrtime.bigint() / 1_000n);
const filler = 'The quick brown fox jumps over the lazy dog. '.repeat(14);

function bodyAt(sentUs: number): string {
  return `{"sentAt":${sentUs},"id":"A-1001","status":"paid","customer":{"first":"Ada","last":"Lovelace"},"lines":[{"sku":"SKU-1","quantity":2,"price":9.99},{"sku":"SKU-2","quantity":1,"price":24.5}],"note":"${filler}"}`;
}

class Connection {
  readonly #head: string;
  readonly #onAnswer: (connection: Connection, accepted: boolean, latencyUs: number) => void;
  readonly #port: number;
  #socket: net.Socket;
  #rest = '';
  #sentUs = 0;
  busy = false;

  constructor(url: URL, onAnswer: (connection: Connection, accepted: boolean, latencyUs: number) => void) {
    this.#head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\ncontent-length: `;
    this.#onAnswer = onAnswer;
    this.#port = Number(url.port);
    this.#socket = this.#open();
  }

  send(intendedUs: number): void {
    this.busy = true;
    this.#sentUs = intendedUs;
    const body = bodyAt(intendedUs);
    this.#socket.write(`${this.#head}${body.length}\r\n\r\n${body}`, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #open(): net.Socket {
    const socket = net.connect(this.#port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    socket.on('error', () => this.#lost());
    return socket;
  }

  #lost(): void {
    this.#rest = '';
    this.#socket = this.#open();
    if (this.busy) this.#done(false);
  }

  #read(text: string): void {
    this.#rest += text;
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = /content-length: (\d+)/i.exec(this.#rest.slice(0, end));
    const total = end + 4 + Number(length?.[1] ?? 0);
    if (this.#rest.length < total) return;
    const accepted = this.#rest.charCodeAt(9) === 50;
    this.#rest = this.#rest.slice(total);
    this.#done(accepted);
  }

  #done(accepted: boolean): void {
    this.busy = false;
    this.#onAnswer(this, accepted, nowUs() - this.#sentUs);
  }
}

function run(order: LoadOrder): Promise<LoadResult> {
  const histogram = new LatencyHistogram();
  const url = new URL(order.url);
  const startUs = nowUs();
  const measureFromUs = startUs + order.warmUpSeconds * 1e6;
  const endUs = measureFromUs + order.seconds * 1e6;
  let accepted = 0;
  let refused = 0;
  const waiting: number[] = [];
  const idle: Connection[] = [];

  const onAnswer = (connection: Connection, ok: boolean, latencyUs: number): void => {
    const now = nowUs();
    if (now >= measureFromUs && now < endUs) {
      if (ok) accepted++;
      else refused++;
      histogram.record(latencyUs);
    }
    if (order.rate === 0) {
      if (now < endUs) connection.send(now);
      return;
    }
    const next = waiting.shift();
    if (next === undefined) idle.push(connection);
    else connection.send(next);
  };

  const connections = Array.from({ length: order.connections }, () => new Connection(url, onAnswer));
  if (order.rate === 0) for (const connection of connections) connection.send(nowUs());
  else idle.push(...connections);

  const { promise, resolve } = Promise.withResolvers<LoadResult>();
  let issued = 0;
  const timer = setInterval(() => {
    const now = nowUs();
    if (now >= endUs) {
      clearInterval(timer);
      for (const connection of connections) connection.close();
      resolve({ accepted, refused, perSecond: accepted / order.seconds, p50Ms: histogram.percentileMs(50), p99Ms: histogram.percentileMs(99) });
      return;
    }
    for (; order.rate > 0 && startUs + (issued * 1e6) / order.rate <= now; issued++) {
      const intended = startUs + (issued * 1e6) / order.rate;
      const connection = idle.pop();
      if (connection) connection.send(Math.round(intended));
      else waiting.push(Math.round(intended));
    }
  }, 1);
  return promise;
}

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.({ result }));
});
process.on('disconnect', () => process.exit(0));
