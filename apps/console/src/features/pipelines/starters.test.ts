import { compileStep } from '@vrsky/logic/compile';
import { expect, test } from 'vitest';
import { isStarter, starterOf } from './starters.ts';

test.each(['typescript', 'assemblyscript'] as const)('the starters in %s compile as they are', async (language) => {
  for (const kind of ['convert', 'filter'] as const) {
    const compiled = await compileStep({ kind, language, source: starterOf(kind, language) });
    expect(compiled.problems).toEqual([]);
    expect(compiled.ok).toBe(true);
  }
});

test('what nobody has written in can be replaced, anything else cannot', () => {
  const step = { kind: 'convert', language: 'typescript', source: starterOf('convert', 'typescript') } as const;
  expect(isStarter(step)).toBe(true);
  expect(isStarter({ ...step, source: '' })).toBe(true);
  expect(isStarter({ ...step, source: `${step.source}// mine` })).toBe(false);
});
