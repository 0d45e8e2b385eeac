/** How a sender wants the receiver to behave, so that retries, dead letters and what uses an answer can be tried out; from the query of the URL. */
export interface Behaviour {
  status: number;
  delayMs: number;
  /** Seconds for a `Retry-After` header; null leaves it out. */
  retryAfter: number | null;
  /** Answer with `status` only this many times for one Idempotency-Key, then 200; null means always. */
  failTimes: number | null;
  /** The body of an answer below 400: this text, or what was sent with its content type; null: that it was received. */
  answer: { text: string } | 'echo' | null;
}

export const plainBehaviour: Behaviour = { status: 200, delayMs: 0, retryAfter: null, failTimes: null, answer: null };

/** The behaviour a URL asks for, or a sentence that says what is wrong with it. */
export function parseBehaviour(url: string): Behaviour | string {
  const at = url.indexOf('?');
  if (at < 0) return plainBehaviour;
  const query = new URLSearchParams(url.slice(at + 1));
  const status = numberIn(query, 'status', 200, 599);
  const delayMs = numberIn(query, 'delayMs', 0, 60_000);
  const retryAfter = numberIn(query, 'retryAfter', 0, 86_400);
  const failTimes = numberIn(query, 'failTimes', 1, 100);
  for (const value of [status, delayMs, retryAfter, failTimes]) if (typeof value === 'string') return value;
  const text = query.get('answer');
  return {
    status: (status as number | null) ?? (failTimes === null ? 200 : 500),
    delayMs: (delayMs as number | null) ?? 0,
    retryAfter: retryAfter as number | null,
    failTimes: failTimes as number | null,
    answer: text !== null ? { text } : query.has('echo') ? 'echo' : null,
  };
}

function numberIn(query: URLSearchParams, name: string, min: number, max: number): number | null | string {
  const raw = query.get(name);
  if (raw === null) return null;
  const value = /^\d{1,9}$/.test(raw) ? Number(raw) : Number.NaN;
  return value >= min && value <= max ? value : `${name} must be a whole number from ${min} to ${max}.`;
}
