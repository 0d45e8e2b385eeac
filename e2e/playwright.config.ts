import { defineConfig } from '@playwright/test';
import { findBrowser } from './browser.ts';

const { executablePath, env, chromiumSandbox } = findBrowser();

export default defineConfig({
  testDir: '.',
  testMatch: '**/*.e2e.ts',
  outputDir: '../test-results',
  globalSetup: './start-stack.ts',
  // One stack, two cores: files run one after the other, and a test that fails is not given a second chance.
  workers: 1,
  retries: 0,
  timeout: 60_000,
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
