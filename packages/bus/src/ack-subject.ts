/** What the server says about a delivery, in the subject on which it wants the answer. */
export interface Delivery {
  deliveryCount: number;
  seq: number;
  /** Position in what this consumer was sent; has no gaps. */
  consumerSeq: number;
  storedAtMs: number;
  /** Messages that will follow. */
  pending: number;
}

/**
 * Both forms: `$JS.ACK.<stream>.<consumer>.<count>.<seq>.<consumer seq>.<time>.<pending>`, and the newer one with domain and account
 * hash before the stream and more behind.
 */
export function parseAckSubject(subject: string): Delivery {
  const tokens = subject.split('.');
  const at = tokens.length === 9 ? 4 : 6;
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < at + 5) throw new Error(`bug: ${subject} is not an answer subject of JetStream`);
  return {
    deliveryCount: Number(tokens[at]),
    seq: Number(tokens[at + 1]),
    consumerSeq: Number(tokens[at + 2]),
    storedAtMs: Math.floor(Number(tokens[at + 3]) / 1_000_000),
    pending: Number(tokens[at + 4]),
  };
}
