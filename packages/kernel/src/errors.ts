/** What sort of trouble it is; every edge (HTTP, tRPC, gRPC, JetStream) translates from this closed list. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'precondition'
  | 'exhausted'
  | 'cancelled'
  | 'unavailable'
  | 'timeout'
  | 'internal';

export type ErrorSource = 'self' | 'plugin' | 'downstream';

/** One problem with one field of an input; `path` is a JSON Pointer (RFC 6901) into it. */
export interface FieldError {
  path: string;
  message: string;
}

export interface AppErrorOptions {
  /** Stable, dotted: `PIPELINE.NOT_FOUND`. */
  code: string;
  kind: ErrorKind;
  /** For us: logs and traces. */
  message: string;
  /** For the person who asked: what happened, why, what to do. Left out, they see the kind's sentence. */
  publicMessage?: string;
  fields?: FieldError[];
  source?: ErrorSource;
  retryAfterMs?: number;
  /** Safe to log. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

const brand = Symbol.for('vrsky.app-error');

/** An expected failure or an operational fault. A bug is any other throw. */
export class AppError extends Error {
  readonly [brand] = true;
  readonly code: string;
  readonly kind: ErrorKind;
  readonly publicMessage: string | undefined;
  readonly fields: FieldError[];
  readonly source: ErrorSource;
  readonly retryAfterMs: number | undefined;
  readonly details: Record<string, unknown>;

  constructor(options: AppErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = options.code;
    this.kind = options.kind;
    this.publicMessage = options.publicMessage;
    this.fields = options.fields ?? [];
    this.source = options.source ?? 'self';
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
  }
}

/** By brand, not `instanceof`: an error may come from another thread's or bundle's copy of this class. */
export function isAppError(value: unknown): value is AppError {
  return typeof value === 'object' && value !== null && brand in value;
}

interface KindRow {
  http: number;
  trpc: string;
  title: string;
  publicMessage: string;
}

/** The one table of translations; edges read it and add nothing of their own. */
export const errorKinds: Record<ErrorKind, KindRow> = {
  invalid: { http: 400, trpc: 'BAD_REQUEST', title: 'The request cannot be accepted', publicMessage: 'A value in the request is not acceptable.' },
  unauthenticated: { http: 401, trpc: 'UNAUTHORIZED', title: 'Sign-in needed', publicMessage: 'Sign in, or send a valid API key as a bearer token.' },
  forbidden: { http: 403, trpc: 'FORBIDDEN', title: 'Not allowed', publicMessage: 'Your role does not allow this.' },
  not_found: { http: 404, trpc: 'NOT_FOUND', title: 'Not found', publicMessage: 'There is nothing here under this id.' },
  conflict: { http: 409, trpc: 'CONFLICT', title: 'Conflict', publicMessage: 'Someone else changed this meanwhile. Reload and try again.' },
  precondition: { http: 412, trpc: 'PRECONDITION_FAILED', title: 'Out of date', publicMessage: 'This was changed since you read it. Reload and try again.' },
  exhausted: { http: 429, trpc: 'TOO_MANY_REQUESTS', title: 'Limit reached', publicMessage: 'A limit is reached. Wait and try again.' },
  cancelled: { http: 499, trpc: 'CLIENT_CLOSED_REQUEST', title: 'Cancelled', publicMessage: 'The request was cancelled.' },
  unavailable: {
    http: 503,
    trpc: 'SERVICE_UNAVAILABLE',
    title: 'Unavailable for the moment',
    publicMessage: 'A part of the platform does not answer. Try again in a few seconds.',
  },
  timeout: {
    http: 504,
    trpc: 'GATEWAY_TIMEOUT',
    title: 'No answer in time',
    publicMessage: 'A part of the platform did not answer in time. Try again in a few seconds.',
  },
  internal: {
    http: 500,
    trpc: 'INTERNAL_SERVER_ERROR',
    title: 'A fault of ours',
    publicMessage: 'This is a fault of ours. Try again, and send us the request id if it stays.',
  },
};

/** What the person who asked may read. Never a stranger's text. */
export function publicMessageOf(error: unknown): string {
  if (!isAppError(error)) return errorKinds.internal.publicMessage;
  return error.publicMessage ?? errorKinds[error.kind].publicMessage;
}

/** One line for a log or a status report, with the chain of causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at !== undefined; depth++) {
    if (isAppError(at)) parts.push(`${at.code}: ${at.message}`);
    else parts.push(at instanceof Error ? at.message : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(' ← ');
}
