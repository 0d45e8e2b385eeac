import { createHash } from 'node:crypto';
import type { StepModule } from '@vrsky/contracts/bundle';
import { contentHash } from '@vrsky/contracts/canonical-json';
import type { StepSpec } from '@vrsky/contracts/pipeline-spec';
import { type CompileResult, compileStep } from '@vrsky/logic/compile';
import { singleton } from '../../../server/singleton.ts';

export type StepSource = Pick<StepSpec, 'kind' | 'language' | 'source'>;
export type CompiledStep = CompileResult & { ok: true };

/** Compiled steps kept: a save compiles only what was edited, and a publish right after it nothing. */
const KEPT_MAX = 200;
/** One for the process: a second copy of this module would start a second compiler, cold and as large as the first. */
const compiler = singleton('compiler', () => ({ compile: compileStep, kept: new Map<string, Promise<CompileResult>>() }));

/** Pure: the same source gives the same result, whoever asks. */
export function compileKept({ kind, language, source }: StepSource): Promise<CompileResult> {
  const key = createHash('sha256').update(`${kind}\n${language}\n${source}`).digest('base64');
  const { compile, kept } = compiler;
  const known = kept.get(key);
  if (known) return known;
  const result = compile({ kind, language, source });
  kept.set(key, result);
  // A compiler that failed by itself said nothing about the source.
  result.catch(() => kept.delete(key));
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value as string);
  return result;
}

export function toModule(stepId: string, { format, code }: CompiledStep): StepModule {
  return { stepId, format, code, sha256: contentHash(code) };
}
