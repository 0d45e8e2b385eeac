import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type StepTypes, stepModule } from './step-language.ts';

/** The files for `createStepLanguage`, from the installed packages. */
export function readStepTypes(): StepTypes {
  const require = createRequire(import.meta.url);
  const sdkFile = require.resolve(stepModule);
  return {
    libs: readLibs(dirname(require.resolve('typescript')), 'lib.es2023.d.ts'),
    sdk: readFileSync(sdkFile, 'utf8'),
    globals: readFileSync(join(dirname(sdkFile), '../step/globals.d.ts'), 'utf8'),
  };
}

/** A library of the language, and those it refers to. */
function readLibs(directory: string, name: string, found: Record<string, string> = {}): Record<string, string> {
  if (found[name] !== undefined) return found;
  const text = readFileSync(join(directory, name), 'utf8');
  found[name] = text;
  for (const [, lib] of text.matchAll(/^\/\/\/ <reference lib="([^"]+)" \/>/gm)) readLibs(directory, `lib.${lib}.d.ts`, found);
  return found;
}
