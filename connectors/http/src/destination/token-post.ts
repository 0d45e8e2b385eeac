import { type buildConnector, Client } from 'undici';
import type { Way } from './egress.ts';
import type { TokenAnswer } from './oauth-tokens.ts';

/** Posts a form by a way, on a connection of its own: tokens are rare, and none of a tenant's connections is kept for them. */
export type TokenPost = (way: Way, url: URL, headers: Record<string, string>, form: string, signal: AbortSignal) => Promise<TokenAnswer>;

const ANSWER_BYTES_MAX = 65_536;
const HEADER_BYTES_MAX = 16_384;

export function createTokenPost(egress: (way: Way) => buildConnector.connector): TokenPost {
  return async (way, url, headers, form, signal) => {
    const client = new Client(url.origin, {
      connect: egress({ ...way, http2: false }),
      allowH2: false,
      maxHeaderSize: HEADER_BYTES_MAX,
      maxResponseSize: ANSWER_BYTES_MAX,
    });
    try {
      const answer = await client.request({ path: `${url.pathname}${url.search}`, method: 'POST', headers, body: form, signal });
      const retryAfter = answer.headers['retry-after'];
      return { status: answer.statusCode, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, body: await answer.body.text() };
    } finally {
      await client.destroy();
    }
  };
}
