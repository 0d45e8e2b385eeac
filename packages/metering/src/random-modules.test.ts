import { afterAll, expect, it } from 'vitest';
import { compare, createModuleGenerator } from '../test/random-modules.ts';

const generator = await createModuleGenerator();
afterAll(() => generator.close());

// Another thousand: npm run fuzz:metering -- --modules 1000 --from 200
it('counts 200 random modules as one counts instruction by instruction, and changes no result and no trap', { timeout: 300_000 }, () => {
  let completed = 0;
  for (let seed = 0; seed < 200; seed++) {
    const { problem, completed: calls } = compare(generator.make(seed));
    expect(problem, `module ${seed}`).toBeNull();
    completed += calls;
  }
  expect(completed).toBeGreaterThan(300);
});
