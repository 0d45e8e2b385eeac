import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

const exclude = [...configDefaults.exclude, '**/.next/**', '**/dist/**', '.vrsky/**', 'e2e/**', 'apps/cli/templates/**'];

// Integration tests wait more than they compute: one file more than there are cores keeps all of them busy.
const maxWorkers = availableParallelism() + 1;

export default defineConfig({
  test: {
    // Both share one pool. Vitest begins with `int`, by name, so that no long file is left alone at the end.
    projects: [
      // Pure: no services. The time limit is generous because the cores are busy with integration tests as well.
      { test: { name: 'unit', include: ['**/*.test.{ts,tsx}'], exclude: [...exclude, '**/*.int.test.ts'], testTimeout: 60_000, maxWorkers } },
      // Real Postgres, NATS, processes; each file brings its own.
      { test: { name: 'int', include: ['**/*.int.test.ts'], exclude, testTimeout: 120_000, hookTimeout: 120_000, maxWorkers } },
    ],
  },
});
