import { createHmac, timingSafeEqual } from 'node:crypto';

/** One request as the test receiver keeps it; `GET <bin>` with `Accept: application/json` answers `{ requests: ReceivedRequest[] }`, newest last. */
export interface ReceivedRequest {
  receivedAt: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  bodyBase64: string;
}

const tag = (key: string, tenantId: string) => createHmac('sha256', key).update(`vrsky/receiver/1\n${tenantId}`).digest('hex').slice(0, 32);

/**
 * The name of a tenant's bin: its Customer-ID and a keyed tag. Whoever holds the name may send to and read the bin; nobody can
 * make one up, and the receiver needs no database to know a right one.
 */
export function receiverBin(key: string, tenantId: string): string {
  return `${tenantId}.${tag(key, tenantId)}`;
}

/** The tenant of a bin's name, or null when the tag is not ours. */
export function findReceiverTenant(key: string, bin: string): string | null {
  const [tenantId, given] = bin.split('.');
  if (!tenantId || !given) return null;
  const expected = Buffer.from(tag(key, tenantId));
  const actual = Buffer.from(given);
  return expected.length === actual.length && timingSafeEqual(expected, actual) ? tenantId : null;
}
