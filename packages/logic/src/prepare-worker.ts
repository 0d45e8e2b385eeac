import { parentPort } from 'node:worker_threads';
import { wasm } from '@vrsky/metering/webassembly';
import { fromBase64, meterModule, type PreparedModule, UnusableModule } from './wasm-module.ts';

export interface PrepareRequest {
  id: number;
  /** Base64. */
  code: string;
  memoryBytes: number;
}

export type PrepareAnswer = { id: number; prepared: PreparedModule | UnusableStep } | { id: number; error: string };

/** A module that no step can be, and why. */
export interface UnusableStep {
  unusable: string;
}

const port = parentPort;
if (!port) throw new Error('bug: this file is the entry of a worker thread');

port.on('message', async (request: PrepareRequest) => {
  try {
    port.postMessage({ id: request.id, prepared: await prepare(request) } satisfies PrepareAnswer);
  } catch (error) {
    port.postMessage({ id: request.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies PrepareAnswer);
  }
});

async function prepare({ code, memoryBytes }: PrepareRequest): Promise<PreparedModule | UnusableStep> {
  try {
    const { metered, ...rest } = meterModule(fromBase64(code), memoryBytes);
    return { ...rest, module: await wasm.compile(metered) };
  } catch (error) {
    if (!(error instanceof UnusableModule)) throw error;
    return { unusable: error.message };
  }
}
