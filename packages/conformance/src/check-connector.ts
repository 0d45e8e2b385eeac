import { configureChecks } from './checks/configure.ts';
import { describeChecks } from './checks/describe.ts';
import { handshakeChecks } from './checks/handshake.ts';
import { lastChecks, lifeChecks } from './checks/life.ts';
import { receiveChecks } from './checks/receive.ts';
import { sendChecks } from './checks/send.ts';
import { validateChecks } from './checks/validate.ts';
import { type Check, type CheckOptions, createSession, Failed, Skipped } from './session.ts';

/** What came of one check. */
export interface CheckResult {
  /** Stable: `handshake.cookie`. */
  name: string;
  /** What is asked of the connector, in a sentence. */
  title: string;
  state: 'passed' | 'failed' | 'skipped';
  /** What was wrong, or why it was skipped; of a passed one, what there is to say. May be empty. */
  reason: string;
  durationMs: number;
}

export interface Report {
  /** What it says it is; null when it did not get so far. */
  connector: { name: string; version: string } | null;
  checks: CheckResult[];
}

/** In the order in which they run: each builds on what those before it found. */
const checks: readonly Check[] = [
  ...handshakeChecks,
  ...lifeChecks,
  ...describeChecks,
  ...validateChecks,
  ...configureChecks,
  ...receiveChecks,
  ...sendChecks,
  ...lastChecks,
];

/** The names of all checks. */
export const checkNames: readonly string[] = checks.map(({ name }) => name);

/**
 * Runs an executable as a connection node would, and says of each thing that a node relies on whether it holds. Never rejects because of the
 * connector: what it does wrong is in the report. `onCheck` hears of each result as it comes.
 */
export async function checkConnector(options: CheckOptions, onCheck: (result: CheckResult) => void = () => undefined): Promise<Report> {
  const session = createSession(options);
  const results: CheckResult[] = [];
  try {
    for (const check of checks) {
      if (options.only !== undefined && !options.only.includes(check.name)) continue;
      const startedMs = performance.now();
      const { state, reason } = await runCheck(check, session);
      const result = { name: check.name, title: check.title, state, reason, durationMs: Math.round(performance.now() - startedMs) };
      results.push(result);
      onCheck(result);
    }
  } finally {
    await session.close();
  }
  return { connector: session.identity(), checks: results };
}

async function runCheck(check: Check, session: ReturnType<typeof createSession>): Promise<Pick<CheckResult, 'state' | 'reason'>> {
  try {
    const reason = (await check.run(session)) ?? '';
    const died = session.takeDeath();
    return died === null ? { state: 'passed', reason } : { state: 'failed', reason: died };
  } catch (error) {
    const died = session.takeDeath();
    if (error instanceof Skipped) return { state: 'skipped', reason: error.message };
    const reason = error instanceof Failed ? error.message : `The check could not be made: ${error instanceof Error ? error.message : String(error)}`;
    return { state: 'failed', reason: died === null ? reason : `${reason} ${died}` };
  }
}
