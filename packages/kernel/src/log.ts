import pino from 'pino';

/** Structured log: an object of fields first, then the sentence. */
export type Log = pino.Logger;

/** JSON lines on standard output. `service` is on every line; `level` is one of pino's names. */
export function createLog(service: string, level = 'info'): Log {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // A last defence: values under these names never reach a log, whoever passes the object.
    redact: {
      paths: ['password', 'secret', 'token', 'authorization', 'seed', '*.password', '*.secret', '*.token', '*.authorization', '*.seed'],
      censor: '[redacted]',
    },
  });
}
