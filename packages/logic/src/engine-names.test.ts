import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { engineExports } from './engine-names.ts';

it('names the exports of the installed engine as its own package does', () => {
  const folder = dirname(createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm'));
  const glue = readFileSync(join(folder, 'emscripten-module.mjs'), 'utf8');
  const theirs = Object.fromEntries([...glue.matchAll(/d\._(\w+)=b\.([\w$]+);/g)].map(([, name, short]) => [name, short]));
  const { construct, malloc, ...functions } = engineExports;
  expect(glue).toContain(`Z.${construct}()`);
  expect(theirs).toMatchObject({ malloc, ...functions });
});
