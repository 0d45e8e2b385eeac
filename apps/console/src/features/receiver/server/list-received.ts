import type { ReceivedRequest } from '@vrsky/contracts/receiver';
import { AppError } from '@vrsky/kernel/errors';
import type { TenantContext } from '../../../server/context.ts';
import { toText } from '../../../server/to-text.ts';
import type { ReceivedView } from '../types.ts';
import { receiverUrl } from './receiver-url.ts';

const SHOWN_MAX = 100;
const WAIT_MS = 5_000;

/** What the tenant's test receiver got, newest first. */
export async function listReceived(ctx: TenantContext): Promise<ReceivedView[]> {
  const { requests } = await askReceiver(`${receiverUrl(ctx)}?limit=${SHOWN_MAX}`);
  return requests.toReversed().map(toView);
}

async function askReceiver(url: string): Promise<{ requests: ReceivedRequest[] }> {
  try {
    const response = await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(WAIT_MS) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return (await response.json()) as { requests: ReceivedRequest[] };
  } catch (cause) {
    throw new AppError({
      code: 'RECEIVER.UNAVAILABLE',
      kind: 'unavailable',
      message: 'the test receiver does not list its requests',
      publicMessage: 'The test receiver does not answer. Messages to it are tried again meanwhile.',
      cause,
    });
  }
}

function toView(request: ReceivedRequest): ReceivedView {
  const body = Buffer.from(request.bodyBase64, 'base64');
  return {
    receivedAt: request.receivedAt,
    method: request.method,
    url: request.url,
    headers: request.headers,
    text: toText(body),
    bodyBase64: request.bodyBase64,
    bytes: body.length,
  };
}
