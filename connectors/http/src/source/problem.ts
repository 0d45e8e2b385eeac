import type { Denial } from './auth/authenticator.ts';
import { PAYLOAD_BYTES_MAX } from './settings.ts';

/** What a sender is told when its message is not accepted (RFC 9457): what happened and what to do, in a sentence. */
export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
}

export const problems = {
  badRequest: {
    status: 400,
    code: 'bad_request',
    title: 'Bad request',
    detail: 'The request is not valid HTTP: check the headers and, if the body is sent in chunks, their lengths.',
  },
  notFound: {
    status: 404,
    code: 'not_found',
    title: 'Not found',
    detail: 'No pipeline listens on this URL. Copy the URL from the source of a published pipeline.',
  },
  timeout: { status: 408, code: 'request_timeout', title: 'Request timeout', detail: 'The request did not arrive completely in time. Send it again.' },
  tooLarge: {
    status: 413,
    code: 'payload_too_large',
    title: 'Payload too large',
    detail: `A message has at most ${PAYLOAD_BYTES_MAX.toLocaleString('en')} bytes. Send less, or a reference to the data.`,
  },
  slowBody: {
    status: 408,
    code: 'slow_body',
    title: 'Request timeout',
    detail: 'The body did not arrive within the time that this source allows. Send it faster, or in smaller messages.',
  },
  contentType: {
    status: 415,
    code: 'content_type',
    title: 'Unsupported media type',
    detail: 'This source does not take messages of this content type. Send one of those that its settings name.',
  },
  encoding: { status: 415, code: 'content_encoding', title: 'Unsupported content encoding', detail: 'Send the body as it is, without Content-Encoding.' },
  expectation: { status: 417, code: 'expectation_failed', title: 'Expectation failed', detail: 'Only the expectation 100-continue is known here.' },
  exhausted: {
    status: 429,
    code: 'exhausted',
    title: 'Quota used up',
    detail: 'The tenant’s storage for waiting messages is full. Send again later, or let the pipeline’s destinations catch up.',
  },
  headersTooLarge: { status: 431, code: 'headers_too_large', title: 'Headers too large', detail: 'A request has at most 100 headers and 16 KiB of them.' },
  rateLimited: {
    status: 429,
    code: 'rate_limited',
    title: 'Too many requests',
    detail: 'This source takes fewer requests a second than that. Send again after the time in Retry-After.',
  },
  unavailable: {
    status: 503,
    code: 'unavailable',
    title: 'Unavailable for the moment',
    detail: 'The message cannot be stored now. It was not accepted: send it again after the time in Retry-After.',
  },
} as const satisfies Record<string, Problem>;

/** For a method that a source does not take. */
export function methodProblem(methods: Iterable<string>): Problem {
  const allowed = [...methods];
  return {
    status: 405,
    code: 'method_not_allowed',
    title: 'Method not allowed',
    detail: `This URL takes messages: send one with ${allowed.join(' or ')}, for example \`curl -X ${allowed[0]} -H "content-type: application/json" -d "{}"\` and this URL.`,
  };
}

/** For a body that is larger than a source takes. */
export function sizeProblem(bytesMax: number): Problem {
  return bytesMax === PAYLOAD_BYTES_MAX
    ? problems.tooLarge
    : { ...problems.tooLarge, detail: `This source takes messages of at most ${bytesMax.toLocaleString('en')} bytes. Send less, or a reference to the data.` };
}

/** For headers beyond what a source takes. */
export function headersProblem({ headers, headerBytes }: { headers: number; headerBytes: number }): Problem {
  const bytes = headerBytes.toLocaleString('en');
  return { ...problems.headersTooLarge, detail: `A request to this source has at most ${headers} headers and ${bytes} bytes of them.` };
}

/** For a body that cannot be taken apart; `detail` says where. */
export function splitProblem(detail: string): Problem {
  return { status: 400, code: 'cannot_split', title: 'Body cannot be split', detail };
}

/** For a sender who is not known. */
export function denialProblem({ status, reason, detail }: Denial): Problem {
  return { status, code: reason, title: status === 401 ? 'Not authenticated' : 'Unavailable for the moment', detail };
}

export function problemBody(problem: Problem): string {
  const { status, code, title, detail } = problem;
  return JSON.stringify({ type: `urn:vrsky:problem:${code}`, title, status, detail, code });
}

/** For a sender that waits for the result of a pipeline which failed for good. */
export function failedProblem(messageId: string, { code: reasonCode, reason }: { code: string; reason: string }): string {
  const detail = `The message was stored, but the pipeline failed: ${reason || 'it gave no reason.'} It is kept as a dead letter under its id, from where it can be sent on: do not send it again.`;
  return JSON.stringify({
    type: 'urn:vrsky:problem:pipeline_failed',
    title: 'The pipeline failed',
    status: 502,
    detail,
    code: 'pipeline_failed',
    reasonCode,
    messageId,
  });
}

/** The whole answer as bytes, for a connection whose request could not even be read. */
export function rawProblem(problem: Problem): string {
  const body = problemBody(problem);
  return `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
