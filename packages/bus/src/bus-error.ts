import { AppError, describeError, isAppError } from '@vrsky/kernel/errors';

/** JetStream's error codes that we tell apart. */
export const jetStreamCodes = {
  consumerNotFound: 10014,
  insufficientResources: 10023,
  noMessageFound: 10037,
  storageExceeded: 10047,
  messageTooLarge: 10054,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  streamFull: 10077,
} as const;

const fullCodes: ReadonlySet<number> = new Set([jetStreamCodes.insufficientResources, jetStreamCodes.storageExceeded, jetStreamCodes.streamFull]);

/** An answer of JetStream that says no. */
export function refusedByJetStream(doing: string, code: number, description: string): AppError {
  const message = `${doing}: ${description} (${code})`;
  const details = { jetStreamCode: code };
  if (fullCodes.has(code))
    return new AppError({
      code: 'BUS.FULL',
      kind: 'exhausted',
      message,
      details,
      publicMessage: 'The storage for messages is full. Wait until older messages are worked off, or ask for more space.',
      retryAfterMs: 5_000,
    });
  if (code === jetStreamCodes.messageTooLarge) return tooLarge(message);
  if (code === jetStreamCodes.wrongLastSequence) return new AppError({ code: 'BUS.CONFLICT', kind: 'conflict', message, details });
  return new AppError({ code: 'BUS.REFUSED', kind: 'internal', message, details });
}

/** Nothing answered: the server is down, restarting, cut off, or does not know the stream. The outcome is unknown. */
export function unavailable(doing: string, cause?: unknown): AppError {
  return new AppError({
    code: 'BUS.UNAVAILABLE',
    kind: 'unavailable',
    message: cause === undefined ? doing : `${doing}: ${describeError(cause)}`,
    retryAfterMs: 1_000,
    cause,
  });
}

export function tooLarge(message: string): AppError {
  return new AppError({ code: 'BUS.TOO_LARGE', kind: 'invalid', message, publicMessage: 'The message is larger than what can be stored.' });
}

/** Translates what the NATS client threw while we were `doing` something. */
export function toBusError(doing: string, error: unknown): AppError {
  if (isAppError(error)) return error;
  if (isApiError(error)) return refusedByJetStream(doing, error.code, error.message);
  const name = error instanceof Error ? error.name : '';
  // A request without an answer is thrown as RequestError around the reason.
  const reason = name === 'RequestError' && error instanceof Error && error.cause instanceof Error ? error.cause.name : name;
  if (reason === 'PermissionViolationError')
    return new AppError({ code: 'BUS.FORBIDDEN', kind: 'forbidden', message: `${doing}: ${describeError(error)}`, cause: error });
  if (reason === 'AuthorizationError' || reason === 'UserAuthenticationExpiredError') {
    return new AppError({ code: 'BUS.UNAUTHENTICATED', kind: 'unauthenticated', message: `${doing}: the NATS server refuses the credentials`, cause: error });
  }
  return unavailable(doing, error);
}

function isApiError(error: unknown): error is Error & { code: number } {
  return error instanceof Error && 'apiError' in error && 'code' in error && typeof error.code === 'number';
}
