import type { CompiledView } from '../types.ts';
import { compileKept, type StepSource } from './compile-steps.ts';

/** What the page cannot compile by itself. It runs there, not here. */
export async function compileView(step: StepSource): Promise<CompiledView> {
  const compiled = await compileKept(step);
  return compiled.ok ? { ok: true, format: compiled.format, code: compiled.code, problems: compiled.problems } : compiled;
}
