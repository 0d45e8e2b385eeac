/** What a worker can be asked, by name. */
// biome-ignore lint/suspicious/noExplicitAny: functions of any shape
export type Calls = Record<string, (...args: any[]) => unknown>;

export interface CallRequest {
  id: number;
  name: string;
  args: unknown[];
}

export type CallAnswer = { id: number; ok: true; value: unknown } | { id: number; ok: false; message: string };

interface Scope {
  onmessage: ((event: { data: CallRequest }) => void) | null;
  postMessage(answer: CallAnswer): void;
}

/** In a worker: answers the page's calls, one after the other. */
export function answerCalls(calls: Calls): void {
  const scope = globalThis as unknown as Scope;
  let last: Promise<void> = Promise.resolve();
  scope.onmessage = ({ data: { id, name, args } }) => {
    last = last.then(async () => {
      try {
        scope.postMessage({ id, ok: true, value: await calls[name]?.(...args) });
      } catch (error) {
        scope.postMessage({ id, ok: false, message: error instanceof Error ? error.message : String(error) });
      }
    });
  };
}
