import { stop } from './host';
import { Json } from './json/json';
import { problem, problemAt } from './json/parse';
import { decode, isUtf8 } from './utf8';
import * as vrsky from './vrsky';

let payload: usize = 0;
let payloadSize: usize = 0;
let parsed: Json = changetype<Json>(0);

/** The payload in this memory, followed by zeros. It is fetched once, when it is first asked for. */
function fetch(): usize {
  if (payload == 0) {
    payloadSize = vrsky.input_size();
    payload = heap.alloc(payloadSize + 32);
    vrsky.input_read(payload);
    memory.fill(payload + payloadSize, 0, 32);
  }
  return payload;
}

/** A byte order mark at the start is left out. */
function markSize(): usize {
  return payloadSize >= 3 && load<u16>(payload) == 0xbbef && load<u8>(payload, 2) == 0xbf ? 3 : 0;
}

function field(index: i32): string {
  const size = <usize>vrsky.field_size(index);
  const bytes = heap.alloc(size + 16);
  vrsky.field_read(index, bytes);
  return decode(bytes, size);
}

/** The message a step works on. Reading from it never changes it: what a convert step returns is the new message. */
export class Message {
  /** The platform's id of the message. It stays the same on every retry. */
  get id(): string {
    return field(0);
  }

  /** Your organisation's Customer-ID, set by the platform. */
  get customerId(): string {
    return field(1);
  }

  /** The W3C trace id that connects the message with the sender's trace. */
  get traceId(): string {
    return field(2);
  }

  /** Type of the payload, such as `application/json`, as the sender or the step before gave it. */
  get contentType(): string {
    return field(3);
  }

  /** When the platform accepted the message. `Date.now()` in a step is this time too. */
  get receivedAt(): Date {
    return new Date(<i64>vrsky.now());
  }

  /** The sender's request headers that pass through the platform. */
  get headers(): MessageHeaders {
    return new MessageHeaders();
  }

  /** The payload, read as JSON. The message fails when it is not JSON. */
  json(): Json {
    const value = this.tryJson();
    if (!value) {
      if (payloadSize == 0) stop('The payload is empty, so it is not JSON');
      stop(`The payload is not JSON: ${problem} at byte ${problemAt - payload}`);
    }
    return value;
  }

  /** The payload, read as JSON, or a missing (falsy) value when it is not JSON. */
  tryJson(): Json {
    if (!parsed) {
      const start = fetch();
      const mark = markSize();
      parsed = Json.read(start + mark, payloadSize - mark);
    }
    return parsed;
  }

  /** The payload as text. The message fails when it is not UTF-8. A byte order mark at its start is left out. */
  text(): string {
    const start = fetch();
    if (!isUtf8(start, payloadSize)) stop('The payload is not UTF-8 text: read it with msg.bytes()');
    const mark = markSize();
    return decode(start + mark, payloadSize - mark);
  }

  /** The payload as it came, in a copy of its own. */
  bytes(): Uint8Array {
    const start = fetch();
    const bytes = new Uint8Array(<i32>payloadSize);
    memory.copy(bytes.dataStart, start, payloadSize);
    return bytes;
  }
}

/** Names are compared without case. */
export class MessageHeaders {
  /** All headers, in order. */
  readonly names: string[] = [];
  readonly values: string[] = [];

  constructor() {
    const all = field(5);
    let from = 0;
    while (from < all.length) {
      const nameEnd = all.indexOf('\0', from);
      const valueEnd = all.indexOf('\0', nameEnd + 1);
      this.names.push(all.substring(from, nameEnd));
      this.values.push(all.substring(nameEnd + 1, valueEnd));
      from = valueEnd + 1;
    }
  }

  /** The header's value, values of repeated headers joined by a comma, or null. */
  get(name: string): string | null {
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (let i = 0; i < this.names.length; i++) {
      if (this.names[i].toLowerCase() != wanted) continue;
      found = found === null ? this.values[i] : `${found}, ${this.values[i]}`;
    }
    return found;
  }

  has(name: string): bool {
    return this.get(name) !== null;
  }
}

/** What the platform knows of the message. */
export class Metadata {
  get messageId(): string {
    return field(0);
  }

  get customerId(): string {
    return field(1);
  }

  get traceId(): string {
    return field(2);
  }

  get pipelineId(): string {
    return field(4);
  }

  get contentType(): string {
    return field(3);
  }

  get receivedAt(): Date {
    return new Date(<i64>vrsky.now());
  }
}
