import type { ReceivedView } from '../types.ts';

export interface KeyedRequest extends ReceivedView {
  /** For the address and the list: requests have no id, but a time, and an ordinal when several came in the same millisecond. */
  key: string;
}

/** Gives each request a key that stays while newer ones come in. `requests` are newest first. */
export function keyed(requests: readonly ReceivedView[]): KeyedRequest[] {
  const seen = new Map<string, number>();
  return requests
    .toReversed()
    .map((request) => {
      const ordinal = seen.get(request.receivedAt) ?? 0;
      seen.set(request.receivedAt, ordinal + 1);
      return { ...request, key: ordinal === 0 ? request.receivedAt : `${request.receivedAt}.${ordinal}` };
    })
    .reverse();
}
