import { type WasmImports, type WasmMemory, type WasmModule, wasm } from '@vrsky/metering/webassembly';

/** The smallest host of logic ABI v1, for tests of modules: one instance a message, nothing metered. */
export interface HostMessage {
  id?: string;
  customerId?: string;
  traceId?: string;
  contentType?: string;
  pipelineId?: string;
  headers?: [string, string][];
  receivedAtMs?: number;
  payload?: Uint8Array | string;
}

export interface HostRun {
  outcome: 'pass' | 'converted' | 'filtered' | 'failed' | 'trapped';
  output?: Uint8Array;
  text?: string;
  contentType?: string;
  reason?: string;
  route?: string;
  logs: string[];
  pages: number;
}

class Aborted extends Error {}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const outcomes = ['pass', 'converted', 'filtered', 'failed'] as const;

/** The imports that a module may ask for, and what it did with them. */
export function hostFor(message: HostMessage, memory: () => WasmMemory): { imports: WasmImports; run: HostRun } {
  const payload = typeof message.payload === 'string' ? encoder.encode(message.payload) : (message.payload ?? new Uint8Array());
  const headers = (message.headers ?? []).map(([name, value]) => `${name}\0${value}\0`).join('');
  const fields = [message.id, message.customerId, message.traceId, message.contentType, message.pipelineId, headers].map((text) => encoder.encode(text ?? ''));
  const run: HostRun = { outcome: 'pass', logs: [], pages: 0 };
  const bytes = (at: number, size: number) => new Uint8Array(memory().buffer, at, size);
  const text = (at: number, size: number) => decoder.decode(bytes(at, size));
  let randoms = 0;
  return {
    run,
    imports: {
      vrsky: {
        input_size: () => payload.length,
        input_read: (to: number) => bytes(to, payload.length).set(payload),
        field_size: (field: number) => (fields[field] as Uint8Array).length,
        field_read: (field: number, to: number) => bytes(to, (fields[field] as Uint8Array).length).set(fields[field] as Uint8Array),
        now: () => message.receivedAtMs ?? 0,
        random: () => (randoms++ % 10) / 10 + 0.05,
        log: (at: number, size: number) => run.logs.push(text(at, size)),
        output: (at: number, size: number) => {
          run.output = bytes(at, size).slice();
        },
        content_type: (at: number, size: number) => {
          run.contentType = text(at, size);
        },
        reason: (at: number, size: number) => {
          run.reason = text(at, size);
        },
        route: (at: number, size: number) => {
          run.route = text(at, size);
        },
        abort: (at: number, size: number) => {
          throw new Aborted(text(at, size));
        },
      },
    },
  };
}

/** A new instance for one message. */
export function runModule(module: WasmModule, message: HostMessage): HostRun {
  let exports: Record<string, unknown> = {};
  const { imports, run } = hostFor(message, () => exports['memory'] as WasmMemory);
  exports = new wasm.Instance(module, imports).exports;
  try {
    (exports['_initialize'] as (() => void) | undefined)?.();
    run.outcome = outcomes[(exports['vrsky_run_v1'] as () => number)()] ?? 'trapped';
  } catch (error) {
    run.outcome = error instanceof Aborted ? 'failed' : 'trapped';
    run.reason = error instanceof Error ? error.message : String(error);
  }
  run.pages = (exports['memory'] as WasmMemory).buffer.byteLength / 65_536;
  if (run.output) run.text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(run.output);
  return run;
}
