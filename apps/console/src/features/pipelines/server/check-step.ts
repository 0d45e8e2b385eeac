import type { CodeProblem } from '../types.ts';
import { compileKept } from './compile-steps.ts';

/** What the compiler says about a step's code. */
export async function checkStep(step: { kind: 'convert' | 'filter'; source: string }): Promise<CodeProblem[]> {
  return (await compileKept(step)).problems;
}
