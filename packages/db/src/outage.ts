import { AppError, isAppError } from '@vrsky/kernel/errors';

/** Prisma's codes for a database that is not there or does not answer in time. */
const PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037']);
/** The same in the words of its driver adapter, which raw queries and the start of a transaction pass through. */
const ADAPTER_KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections']);
/** Of the socket, and of a server that starts, stops, or has no connection left. */
const DRIVER_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', '57P01', '57P02', '57P03', '53300']);
/** What pg says without a code. */
const DRIVER_WORDS = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

const RETRY_AFTER_MS = 2_000;
const DEPTH_MAX = 6;

/** The database is away, if that is what an error comes from, as whoever asked should hear it; null for every other failure. */
export function findOutage(error: unknown): AppError | null {
  if (!isOutage(error, DEPTH_MAX)) return null;
  return new AppError({
    code: 'DATABASE.UNAVAILABLE',
    kind: 'unavailable',
    message: 'the database does not answer',
    retryAfterMs: RETRY_AFTER_MS,
    cause: error,
  });
}

function isOutage(error: unknown, depth: number): boolean {
  if (typeof error !== 'object' || error === null || depth === 0 || isAppError(error)) return false;
  const { name, code, kind, message, cause, originalCode, meta } = error as Record<string, unknown> & { meta?: Record<string, unknown> };
  if (typeof code === 'string' && (PRISMA_CODES.has(code) || DRIVER_CODES.has(code))) return true;
  if (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) return true;
  if (typeof originalCode === 'string' && DRIVER_CODES.has(originalCode)) return true;
  if (typeof message === 'string' && DRIVER_WORDS.test(message)) return true;
  // Below anybody else's error, a refused connection is one to somebody else.
  if (typeof name !== 'string' || !/^(Prisma|DriverAdapter)/.test(name)) return false;
  return isOutage(cause, depth - 1) || isOutage(meta?.['driverAdapterError'], depth - 1);
}
