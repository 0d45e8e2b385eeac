import type { DeliveryResult } from '@vrsky/sdk/connector';
import type { SecretForbidden } from './authentication.ts';
import { TokenRefused, TokenUnreachable } from './oauth-tokens.ts';
import type { DestinationSettings } from './settings.ts';
import type { TemplateFailed } from './template.ts';

/** An answer, and the headers of it that change what happens next. */
export interface PeerAnswer {
  status: number;
  retryAfter: string | undefined;
  body: Uint8Array;
  contentType?: string | undefined;
  /** The body should go on, and is not all there. */
  isCut?: boolean;
}

const RETRY_AFTER_MS_MAX = 3_600_000;

/** How a destination takes the answers of its receiver. */
export interface AnswerRules {
  /** Whether the message is sent again after this status. */
  retries(status: number): boolean;
  retryAfterMaxMs: number;
}

const usualRetries = ['408', '425', '429', '5xx'];

export function answerRules(settings: DestinationSettings['answers']): AnswerRules {
  const patterns = new Set(settings?.retryOn ?? usualRetries);
  const known = new Map<number, boolean>();
  return {
    retries(status) {
      let answer = known.get(status);
      if (answer === undefined) {
        answer = patterns.has(String(status)) || patterns.has(`${Math.floor(status / 100)}xx`);
        known.set(status, answer);
      }
      return answer;
    },
    retryAfterMaxMs: settings?.retryAfterMaxMs ?? RETRY_AFTER_MS_MAX,
  };
}
const usualRules = answerRules(undefined);

/** What an HTTP answer means for the message. */
export function answerOutcome(answer: PeerAnswer, nowMs: number = Date.now(), rules: AnswerRules = usualRules): DeliveryResult {
  const { status } = answer;
  const common = factsOf(answer);
  if (status >= 200 && status < 300) return { ...common, status: 'ok' };
  const code = `http_${status}`;
  if (rules.retries(status)) {
    const retryAfterMs = parseRetryAfter(answer.retryAfter, nowMs, rules.retryAfterMaxMs);
    if (retryAfterMs > 0)
      return { ...common, status: 'rate_limited', code, retryAfterMs, reason: `The receiver answered ${status} and asks to wait ${spell(retryAfterMs)}.` };
    if (status === 429) return { ...common, status: 'rate_limited', code, reason: 'The receiver answered 429: it gets more requests than it takes.' };
    return {
      ...common,
      status: 'retryable',
      code,
      reason: `The receiver answered ${status}: ${status >= 500 ? 'it failed' : 'it cannot take the message now'}.`,
    };
  }
  if (status >= 300 && status < 400)
    return {
      ...common,
      status: 'permanent',
      code,
      reason: `The receiver answered ${status}, a redirect. ${redirectRule(status)} Enter the final URL as the destination.`,
    };
  return { ...common, status: 'permanent', code, reason: `The receiver answered ${status}: ${refusals[status] ?? 'it refuses this message.'}` };
}

const CONTENT_TYPE = /^[\x20-\x7e]{1,200}$/;

function factsOf({ status, body, contentType, isCut }: PeerAnswer) {
  const peerAnswerType = contentType !== undefined && CONTENT_TYPE.test(contentType) ? contentType : '';
  return { source: 'downstream', peerStatus: status, peerAnswer: body, peerAnswerType, peerAnswerCut: isCut === true } as const;
}

/** The receiver took the message, and the end of its answer, which goes on from here, never came. */
export function answerLost(answer: PeerAnswer, host: string): DeliveryResult {
  const reason = `${host} answered ${answer.status}, but the rest of its answer, which is the input of what comes next, did not come.`;
  return { ...factsOf(answer), status: 'retryable', code: 'answer_lost', reason };
}

/** The receiver took the message, and nobody can make use of its answer, which goes on from here. */
export function answerUnreadable(answer: PeerAnswer): DeliveryResult {
  const reason = `The receiver answered ${answer.status} and has the message, but its answer, which is the input of what comes next, cannot be decompressed.`;
  return { ...factsOf(answer), status: 'permanent', code: 'answer_unreadable', reason };
}

function redirectRule(status: number): string {
  return status === 307 || status === 308
    ? 'Redirects are not followed unless the destination allows it.'
    : 'Redirects are not followed when they would lose the message.';
}

const refusals: Record<number, string> = {
  400: 'it refuses this message as not valid.',
  401: 'it wants other credentials. Check the authentication of the destination.',
  403: 'it does not allow this. Check what the destination’s credentials may do.',
  404: 'there is nothing at this URL. Check the URL of the destination.',
  405: 'it does not take this method. Check the method of the destination.',
  410: 'this URL is given up for good. The destination is stopped: correct its URL, or pause and resume the pipeline when the receiver is back.',
  413: 'the message is too large for it.',
  415: 'it does not take this content type.',
  422: 'it refuses the content of this message.',
};

/** What a request that got no answer means for the message. `host` is the customer's own, without path, so that no secret in it shows. */
export function failureOutcome(error: unknown, host: string, timeoutMs: number): DeliveryResult {
  if (error instanceof TokenUnreachable) {
    const outcome = failureOutcome(error.cause, error.host, timeoutMs);
    return { ...outcome, reason: `No access token: ${outcome.reason}` };
  }
  if (error instanceof TokenRefused) return refusedOutcome(error);
  const { status, code, reason } = failure(error, host, timeoutMs);
  return { status, source: 'downstream', code, reason };
}

function refusedOutcome(error: TokenRefused): DeliveryResult {
  const common = { source: 'downstream', code: 'token_refused', reason: error.message } as const;
  if (error.isFinal) return { ...common, status: 'permanent' };
  const retryAfterMs = parseRetryAfter(error.retryAfter, Date.now());
  return retryAfterMs > 0 ? { ...common, status: 'rate_limited', retryAfterMs } : { ...common, status: 'retryable' };
}

/** A receiver sends on to where the destination does not go; the message is a sentence for the customer. */
export class RedirectRefused extends Error {
  readonly code = 'REDIRECT_REFUSED';
}

export class DeliveryTimeout extends Error {
  readonly code = 'DELIVERY_TIMEOUT';
}

interface Failure {
  status: 'retryable' | 'permanent';
  code: string;
  reason: string;
}

function failure(error: unknown, host: string, timeoutMs: number): Failure {
  const code = codeOf(error);
  const retryable = (short: string, reason: string): Failure => ({ status: 'retryable', code: short, reason });
  switch (code) {
    case 'TEMPLATE_FAILED':
      return { status: 'permanent', code: 'template_failed', reason: (error as TemplateFailed).message };
    case 'REDIRECT_REFUSED':
      return { status: 'permanent', code: 'redirect_refused', reason: (error as RedirectRefused).message };
    case 'SECRET_FORBIDDEN': {
      const { secretName, host: wrongHost } = error as SecretForbidden;
      return {
        status: 'permanent',
        code: 'secret_forbidden',
        reason: `The secret ${secretName} may not be sent to ${wrongHost}, so nothing was sent. Add the host to the secret’s hosts.`,
      };
    }
    case 'EGRESS_FORBIDDEN':
      return {
        status: 'permanent',
        code: 'egress_forbidden',
        reason: `${host} is a private or internal address. Requests from pipelines go only to public addresses.`,
      };
    case 'UND_ERR_HEADERS_TIMEOUT':
      return retryable('timeout', `${host} did not begin to answer within the destination’s time limit for that.`);
    case 'UND_ERR_BODY_TIMEOUT':
      return retryable('timeout', `${host} stopped in the middle of its answer.`);
    case 'DELIVERY_TIMEOUT':
      return retryable('timeout', `${host} did not answer within ${spell(timeoutMs)}.`);
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return retryable('connect_timeout', `${host} did not accept a connection in time.`);
    case 'ECONNREFUSED':
      return retryable('connect_refused', `Nothing accepts connections at ${host}.`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return retryable('unreachable', `There is no way to ${host} from here.`);
    case 'ENOTFOUND':
      return retryable('dns_failed', `The name ${host} is not known. Check the URL of the destination.`);
    case 'EAI_AGAIN':
      return retryable('dns_failed', `The name ${host} could not be looked up now.`);
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return retryable('connection_lost', `${host} ended the connection before it answered.`);
    case 'UND_ERR_HEADERS_OVERFLOW':
      return retryable('bad_response', `${host} answered with more than 16 KiB of headers.`);
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
      return retryable('bad_response', `${host} answered more than is read of it.`);
    case 'UND_ERR_INVALID_ARG':
      return {
        status: 'permanent',
        code: 'invalid_request',
        reason: 'The request cannot be formed: a header or the URL has a character that is not allowed there.',
      };
    default:
      break;
  }
  if (code.startsWith('ERR_HTTP2')) return retryable('connection_lost', `${host} ended the request before it answered.`);
  if (code === PARSER_ERROR || code.startsWith('HPE_') || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return retryable('bad_response', `What ${host} answered is not valid HTTP.`);
  if (tlsProblems[code] !== undefined) return retryable('tls_failed', `The certificate of ${host} is not accepted: ${tlsProblems[code]}.`);
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.startsWith('EPROTO'))
    return retryable('tls_failed', `No secure connection to ${host} could be made.`);
  return retryable('network_error', `The request to ${host} failed on its way.`);
}

const tlsProblems: Record<string, string> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its chain ends in a certificate signed by itself',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'an intermediate certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT: 'its issuer is not known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its issuer is not known',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another name',
};

const PARSER_ERROR = 'HTTPParserError';

/** Connecting to several addresses of a name fails with a list; the first one speaks for all. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (error instanceof AggregateError && error.errors.length > 0 && typeof code !== 'string') return codeOf(error.errors[0]);
  if (typeof code === 'string') return code;
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'DELIVERY_TIMEOUT';
  if ((error as Error | null)?.name === PARSER_ERROR) return PARSER_ERROR; // undici's, and some of these have no code
  return cause === undefined ? '' : codeOf(cause);
}

/** Seconds or a date (RFC 9110 §10.2.3); 0 when it says nothing usable. */
export function parseRetryAfter(value: string | undefined, nowMs: number, maxMs: number = RETRY_AFTER_MS_MAX): number {
  if (value === undefined) return 0;
  const text = value.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), maxMs) : 0;
}

function spell(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`;
}
