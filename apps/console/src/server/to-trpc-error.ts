import { TRPCError } from '@trpc/server';
import { type AppError, errorKinds, type FieldError, isAppError, publicMessageOf } from '@vrsky/kernel/errors';
import { ZodError } from 'zod';

type TrpcCode = ConstructorParameters<typeof TRPCError>[0]['code'];

/** What a client reads of an error beside tRPC's own code and status. */
export interface ErrorFacts {
  /** Stable and dotted, such as `PIPELINE.NOT_FOUND`. */
  appCode: string;
  fields: FieldError[];
  retryAfterMs: number | null;
}

/** The tRPC error of an AppError, by the table of kinds. */
export function toTrpcError(error: AppError): TRPCError {
  return new TRPCError({ code: errorKinds[error.kind].trpc as TrpcCode, message: publicMessageOf(error), cause: error });
}

/** What may be shown of an error: its facts, and a message that is ours, never a stranger's text. */
export function publicError(error: TRPCError): { message: string; facts: ErrorFacts } {
  const { cause } = error;
  if (isAppError(cause)) {
    return { message: publicMessageOf(cause), facts: { appCode: cause.code, fields: cause.fields, retryAfterMs: cause.retryAfterMs ?? null } };
  }
  if (cause instanceof ZodError) {
    return { message: errorKinds.invalid.publicMessage, facts: { appCode: 'REQUEST.INVALID', fields: fieldErrors(cause), retryAfterMs: null } };
  }
  const kind = Object.values(errorKinds).find((row) => row.trpc === error.code);
  return { message: (kind ?? errorKinds.internal).publicMessage, facts: { appCode: `REQUEST.${error.code}`, fields: [], retryAfterMs: null } };
}

/** Each issue with the JSON Pointer of its place. */
export function fieldErrors(error: ZodError): FieldError[] {
  return error.issues.map((issue) => ({
    path: issue.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    message: issue.message,
  }));
}
