import { createContext, Script } from 'node:vm';

const script = new Script('run()');

/**
 * Runs something whose cost a stranger decides, such as a regular expression of a connector's, for `timeoutMs` at most; null when the time was
 * not enough. It holds up the process meanwhile, so keep the time short.
 */
export function withinTime<T>(timeoutMs: number, run: () => T): { value: T } | null {
  let value: { value: T } | null = null;
  const context = createContext({
    run: () => {
      value = { value: run() };
    },
  });
  try {
    script.runInContext(context, { timeout: timeoutMs });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
  return value;
}
