import type { DevFile } from '@vrsky/contracts/dev-file';
import { eventually } from '@vrsky/testkit/eventually';

const APPLIED_MS = 60_000;

/** One node's tick on the published revision, as the API gives it. */
interface Tick {
  nodeName: string;
  state: string;
  reason: string | null;
}

/** Waits until a node runs the demo pipeline, as its tenant sees it through the public API. */
export async function waitUntilApplied(dev: DevFile, stop?: AbortSignal): Promise<string> {
  const url = `${dev.console}/api/v1/pipelines/${dev.demo.pipelineId}/rollout`;
  return eventually(
    async () => {
      stop?.throwIfAborted();
      const response = await fetch(url, { headers: { authorization: `Bearer ${dev.apiKey}` }, signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(`${url} answers ${response.status}: ${(await response.text()).slice(0, 300)}`);
      const { items: ticks } = (await response.json()) as { items: Tick[] };
      const applied = ticks.find((tick) => tick.state === 'applied');
      if (applied === undefined)
        throw new Error(
          ticks.map((tick) => `${tick.nodeName} is ${tick.state}${tick.reason === null ? '' : ` (${tick.reason})`}`).join(', ') || 'no node has reported',
        );
      return `applied on ${applied.nodeName}`;
    },
    { timeoutMs: APPLIED_MS, everyMs: 100, what: 'the demo pipeline to run on a node' },
  );
}
