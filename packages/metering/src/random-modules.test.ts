import { afterAll, expect, it } from 'vitest';
import { compare, createModuleGenerator } from '../test/random-modules.ts';

let generator = await createModuleGenerator();
afterAll(() => generator.close());

// Others: npm run fuzz:metering -- --modules 10000 --from 2000
it('counts 2,000 random modules alike in every scheme, block by block and instruction by instruction, and changes no result and no trap', {
  timeout: 600_000,
}, async () => {
  const total = { completed: 0, trapped: 0, register: 0, shared: 0, refused: 0 };
  for (let seed = 0; seed < 2000; seed++) {
    // The generator keeps what it allocates.
    if (seed % 400 === 399) {
      generator.close();
      generator = await createModuleGenerator();
    }
    const { problem, completed, trapped, scheme } = compare(generator.make(seed));
    expect(problem, `module ${seed}`).toBeNull();
    total.completed += completed;
    total.trapped += trapped;
    total[scheme]++;
  }
  expect(total.refused).toBeLessThan(20);
  expect(total.register).toBeGreaterThan(1200);
  expect(total.shared).toBeGreaterThan(200);
  expect(total.completed).toBeGreaterThan(4000);
  expect(total.trapped).toBeGreaterThan(1000);
});
