import { configDefaults, defineConfig } from 'vitest/config';

const exclude = [...configDefaults.exclude, '**/.next/**', '**/dist/**', '.vrsky/**', 'e2e/**'];

export default defineConfig({
  test: {
    projects: [
      // Pure: no services. The time limit is generous because two cores may be busy with something else.
      { test: { name: 'unit', include: ['**/*.test.{ts,tsx}'], exclude: [...exclude, '**/*.int.test.ts'], testTimeout: 20_000, sequence: { groupOrder: 0 } } },
      // Real Postgres, NATS, processes; each file brings its own.
      { test: { name: 'int', include: ['**/*.int.test.ts'], exclude, testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 2, sequence: { groupOrder: 1 } } },
    ],
  },
});
