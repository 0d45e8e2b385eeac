import { TRPCClientError } from '@trpc/client';
import { errorKinds, type FieldError } from '@vrsky/kernel/errors';
import type { ErrorView } from '../ui/ErrorState.tsx';

interface ErrorData {
  code?: string;
  requestId?: string | null;
  appCode?: string;
  fields?: FieldError[];
}

function dataOf(error: unknown): ErrorData | null {
  return error instanceof TRPCClientError && typeof error.data === 'object' && error.data !== null ? (error.data as ErrorData) : null;
}

/** What to show of a failed call. The server has already chosen words for the person; a call without an answer gets ours. */
export function toErrorView(error: unknown): ErrorView {
  const data = dataOf(error);
  if (!data || !(error instanceof Error)) {
    return {
      title: 'The console does not answer',
      message: 'The connection failed or the console is restarting. Messages keep flowing meanwhile. Try again in a few seconds.',
      requestId: null,
    };
  }
  const kind = Object.values(errorKinds).find((row) => row.trpc === data.code) ?? errorKinds.internal;
  return { title: kind.title, message: error.message, requestId: data.requestId ?? null };
}

/** The stable code of an error, to tell one expected failure from another. */
export function appCodeOf(error: unknown): string | null {
  return dataOf(error)?.appCode ?? null;
}

/** Problems with single fields, keyed by JSON Pointer. */
export function fieldErrorsOf(error: unknown): Record<string, string> {
  return Object.fromEntries((dataOf(error)?.fields ?? []).map((field) => [field.path, field.message]));
}
