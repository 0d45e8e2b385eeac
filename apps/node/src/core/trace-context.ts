/** W3C Trace Context (level 1) of one message, as far as a node needs it. */
export interface TraceContext {
  traceId: string;
  spanId: string;
  flags: string;
}

const shape = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
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

/** The message's trace context: its sender's, or the one made from its id. */
export function traceContextOf(traceparent: string, messageId: string): TraceContext {
  return (traceparent === '' ? null : findTraceContext(traceparent)) ?? traceContextOfId(messageId);
}

/** The trace id alone, for trails of many messages: no context object for each. */
export function traceIdOf(traceparent: string, messageId: string): string {
  return traceparent.length === 55 && findTraceContext(traceparent) !== null ? traceparent.slice(3, 35) : idBits(messageId);
}

/** The last 128 bits of the 26 base32 characters after the kind. */
function idBits(messageId: string): string {
  const text = messageId.slice(messageId.indexOf('_') + 1);
  let hex = '';
  let bits = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = ALPHABET.indexOf(text.charAt(i));
    value = ((value << 5) | (digit < 0 ? 0 : digit)) & 0xfff;
    bits += 5;
    while (bits >= 4) {
      bits -= 4;
      hex += ((value >> bits) & 15).toString(16);
    }
  }
  const id = hex.slice(-32).padStart(32, '0');
  // An id without a single bit names no trace; no id of ours is like that, but a text that is no id can be.
  return id.endsWith(noSpan) ? `${id.slice(0, 31)}1` : id;
}
