import { type WasmImports, type WasmModule, wasm } from '../../src/webassembly.ts';
import { begin } from './begin.ts';
import type { Running, Workload } from './workload.ts';

const program = `
(function () {
  const order = { id: 'A-1', customer: { first: 'Zo\\u00eb', last: 'M\\u00fcller', note: 'x'.repeat(200) },
    lines: Array.from({ length: 12 }, (_, i) => ({ sku: 'SKU-' + i, qty: i + 1, price: 9.99, text: 'line text ' + i })) };
  const text = JSON.stringify(order);
  globalThis.work = () => {
    let out = '';
    for (let k = 0; k < 4; k++) {
      const o = JSON.parse(text);
      const lines = o.lines.map((l) => ({ sku: l.sku, amount: l.qty * l.price }));
      out = JSON.stringify({ name: (o.customer.first + ' ' + o.customer.last).toUpperCase(), total: lines.reduce((s, l) => s + l.amount, 0), lines });
    }
    let s = 0; const a = [];
    for (let i = 0; i < 2000; i++) { s = (s + i * 7) % 65521; if ((i & 63) === 0) a.push('x' + s); }
    return out + a.sort().join('').replace(/x(\\d)/g, '$1-');
  };
  return 'ready';
})()`;

/** The QuickJS engine of npm, with imports that give it nothing. Its exports have short names. */
export const quickjs: Workload = {
  async start(module: WasmModule): Promise<Running> {
    const memory = new wasm.Memory({ initial: 256, maximum: 32_768 });
    const heap = new Uint8Array(memory.buffer);
    const imports: WasmImports[string] = { a: memory };
    for (const { name, kind } of wasm.Module.imports(module)) if (kind === 'function') imports[name] = () => 0;
    const instance = new wasm.Instance(module, { a: imports });
    const call = (name: string, ...args: number[]): number => (instance.exports[name] as (...args: number[]) => number)(...args);
    const write = (text: string): number => {
      const bytes = new TextEncoder().encode(`${text}\0`);
      const pointer = call('v', bytes.length);
      heap.set(bytes, pointer);
      return pointer;
    };
    begin(instance);
    call('u'); // constructors
    const context = call('N', call('K'), 0);
    const evaluate = (source: number, length: number): string => {
      const text = call('$', context, call('pa', context, source, length, file, 0, 0));
      return new TextDecoder().decode(heap.subarray(text, heap.indexOf(0, text)));
    };
    const file = write('work.js');
    const ready = evaluate(write(program), program.length);
    if (ready !== 'ready') throw new Error(`the engine says ${ready}`);
    const source = write('work()');
    return { instance, run: () => evaluate(source, 6) };
  },
};
