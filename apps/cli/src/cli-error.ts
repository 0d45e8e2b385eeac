import type { Exit } from './exit-codes.ts';

/** A failure that a person can act on: one sentence that says what to do, and what `vrsky` ends with. */
export class CliError extends Error {
  readonly exit: Exit;
  /** Printed before the sentence: one line a problem. */
  readonly details: string[];

  constructor(exit: Exit, sentence: string, details: string[] = [], options?: ErrorOptions) {
    super(sentence, options);
    this.name = 'CliError';
    this.exit = exit;
    this.details = details;
  }
}
