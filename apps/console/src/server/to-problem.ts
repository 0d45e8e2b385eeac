import { findOutage } from '@vrsky/db/outage';
import { errorKinds, type FieldError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import { ZodError } from 'zod';
import { fieldErrors } from './to-trpc-error.ts';

/** RFC 9457 problem details, as every error of the REST API is answered. */
export interface Problem {
  /** `urn:vrsky:problem:<code>` */
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Stable and dotted, such as `PIPELINE.NOT_FOUND`. */
  code: string;
  requestId: string;
  errors?: FieldError[];
}

export function problem(
  facts: { status: number; title: string; detail: string; code: string; requestId: string; errors?: FieldError[] },
  headers: Record<string, string> = {},
): Response {
  const { status, title, detail, code, requestId, errors } = facts;
  const body: Problem = { type: `urn:vrsky:problem:${code}`, title, status, detail, code, requestId, ...(errors && errors.length > 0 ? { errors } : {}) };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'x-request-id': requestId, ...headers },
  });
}

/** The answer to whatever was thrown, by the table of kinds. A stranger's text is never in it. */
export function toProblem(thrown: unknown, requestId: string): Response {
  const error = findOutage(thrown) ?? thrown;
  if (isAppError(error)) {
    const row = errorKinds[error.kind];
    const headers: Record<string, string> = {};
    if (error.retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfterMs / 1_000));
    if (error.kind === 'unauthenticated') headers['www-authenticate'] = 'Bearer realm="VRSky"';
    return problem({ status: row.http, title: row.title, detail: publicMessageOf(error), code: error.code, requestId, errors: error.fields }, headers);
  }
  if (error instanceof ZodError) {
    return problem({
      status: 400,
      title: errorKinds.invalid.title,
      detail: errorKinds.invalid.publicMessage,
      code: 'REQUEST.INVALID',
      requestId,
      errors: fieldErrors(error),
    });
  }
  return problem({ status: 500, title: errorKinds.internal.title, detail: errorKinds.internal.publicMessage, code: 'INTERNAL', requestId });
}
