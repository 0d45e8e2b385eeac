import { wasm } from '@vrsky/metering/webassembly';
import type { CodeProblem } from '../compile.ts';
import { codeProblem } from './explain.ts';

const offered = new Set(['input_size', 'input_read', 'field_size', 'field_read', 'now', 'random', 'log', 'output', 'content_type', 'reason', 'route', 'abort']);

/** What the step declares and the platform does not have. */
export function checkImports(module: Uint8Array, source: string): CodeProblem[] {
  return wasm.Module.imports(new wasm.Module(module))
    .filter(({ module, name }) => module !== 'vrsky' || !offered.has(name))
    .map(({ module, name }) => {
      const at = source.search(new RegExp(`(?<=\\bdeclare\\s[^;{}]*)\\b${(name.split('.').at(-1) ?? '').replace(/\W/g, '\\$&')}\\b`));
      return codeProblem(
        source,
        Math.max(at, 0),
        at < 0 ? 0 : at + name.length,
        `The platform has no function "${name}" in a module "${module}": a step cannot declare one`,
      );
    });
}
