import { defineConfig } from '@playwright/test';
import { findBrowser } from './browser.ts';

/** What is done in a terminal, without a browser. */
const terminal = ['tutorial.e2e.ts', 'readme.e2e.ts'];

const { executablePath, env, chromiumSandbox } = findBrowser();

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  globalSetup: './start-stack.ts',
  // One stack for all: a file at a time beside the longest one, which is first, and no second chance for a test that fails.
  workers: 2,
  retries: 0,
  projects: [
    { name: 'terminal', testMatch: terminal },
    { name: 'browser', testMatch: '**/*.e2e.ts', testIgnore: terminal },
  ],
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: 'list',
  use: {
    launchOptions: { executablePath, chromiumSandbox, env: { ...(process.env as Record<string, string>), ...env } },
    viewport: { width: 1280, height: 800 },
    locale: 'en-US',
    timezoneId: 'UTC',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
  },
});
