import { wasm } from '../../src/webassembly.ts';
import { begin } from './begin.ts';
import type { Workload } from './workload.ts';

/** `sample.as`, compiled. */
export const assemblyscript: Workload = {
  async start(module) {
    const abort = (): never => {
      throw new Error('aborted');
    };
    const instance = new wasm.Instance(module, { env: { abort } });
    begin(instance);
    const collect = instance.exports.__collect as () => void;
    const work = instance.exports.run as (rounds: number) => number;
    return {
      instance,
      run() {
        const result = String(work(20) >>> 0);
        collect();
        return result;
      },
    };
  },
};
