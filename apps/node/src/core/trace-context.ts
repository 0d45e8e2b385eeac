/** W3C Trace Context (level 1) of one message, as far as a node needs it. */
export interface TraceContext {
  traceId: string;
  spanId: string;
  flags: string;
}

const shape = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Value of each character of an id; see contracts/ids. */
const digits = new Uint8Array(128);
for (const [value, character] of [...'0123456789abcdefghjkmnpqrstvwxyz'].entries()) digits[character.charCodeAt(0)] = value;
const HEX = '0123456789abcdef';
const noTrace = '0'.repeat(32);
const noSpan = '0'.repeat(16);

/** Null for anything that is not a valid version 00 value: the trace then begins with us. */
export function findTraceContext(traceparent: string): TraceContext | null {
  if (traceparent.length !== 55) return null;
  const match = shape.exec(traceparent);
  if (!match) return null;
  const [, traceId, spanId, flags] = match as unknown as [string, string, string, string];
  return traceId === noTrace || spanId === noSpan ? null : { traceId, spanId, flags };
}

/** `traceparent` of a context. */
export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.flags}`;
}

/**
 * The trace of a message whose sender named none. It is the message id's own 128 bits of time and chance in hex, so every
 * pass, retry and node gets the same one without storing it. Marked as sampled: a receiver that records may keep it.
 */
export function traceContextOfId(messageId: string): TraceContext {
  const hex = idBits(messageId);
  return { traceId: hex, spanId: hex.slice(16), flags: '01' };
}

/** A `traceparent` that may be passed on as it is. */
export function isTraceparent(text: string): boolean {
  return text.length === 55 && findTraceContext(text) !== null;
}

/** The last 128 bits of the 26 base32 characters after the kind. */
function idBits(messageId: string): string {
  let hex = '';
  let bits = 0;
  let value = 0;
  for (let i = messageId.indexOf('_') + 1; i < messageId.length; i++) {
    value = ((value << 5) | (digits[messageId.charCodeAt(i) & 0x7f] ?? 0)) & 0xfff;
    bits += 5;
    while (bits >= 4) {
      bits -= 4;
      hex += HEX[(value >> bits) & 15];
    }
  }
  const id = hex.slice(-32).padStart(32, '0');
  // An id without a single bit names no trace; no id of ours is like that, but a text that is no id can be.
  return id.endsWith(noSpan) ? `${id.slice(0, 31)}1` : id;
}
