import { compileScript } from '@vrsky/logic/compile-script';
import { createStepLanguage, type StepLanguage, type StepTypes } from '@vrsky/logic/step-language';
import { answerCalls } from './calls.ts';
import { load } from './load.ts';

// TypeScript in a thread of its own: checks, completes and compiles while the page stays quick.

let language: StepLanguage | undefined;

function ready(): StepLanguage {
  if (!language) throw new Error('bug: a call before start');
  return language;
}

const calls = {
  /** Once, before all others. */
  async start(typesUrl: string): Promise<void> {
    language = createStepLanguage((await (await load(typesUrl)).json()) as StepTypes);
    // Libraries are parsed and bound by the first check: now, not at the first key.
    language.check('convert', '');
  },
  compile: compileScript,
  check: (kind: 'convert' | 'filter', source: string) => ready().check(kind, source),
  completions: (source: string, offset: number) => ready().completions(source, offset),
  describe: (source: string, offset: number, name: string) => ready().describe(source, offset, name),
  hover: (source: string, offset: number) => ready().hover(source, offset),
};

export type LanguageCalls = typeof calls;

answerCalls(calls);
