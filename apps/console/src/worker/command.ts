import { ConfigError, EXIT_CONFIG } from '@vrsky/kernel/config';
import { describeError } from '@vrsky/kernel/errors';

/** Runs an operator's command: its answer goes to standard output, trouble as one sentence to standard error and into the exit code. */
export async function runCommand(command: () => Promise<string>): Promise<void> {
  try {
    process.stdout.write(`${await command()}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : describeError(error)}\n`);
    process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
}
