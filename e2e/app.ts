import { readFileSync } from 'node:fs';
import { test as base, type Page } from '@playwright/test';
import { type DevFile, devFileSchema } from '@vrsky/contracts/dev-file';

/** `test` with what the running stack says about itself. */
export const test = base.extend<{ dev: DevFile }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads which fixtures are wanted from this pattern
  dev: async ({}, use) => {
    await use(devFileSchema.parse(JSON.parse(readFileSync(process.env.VRSKY_DEV_FILE ?? '', 'utf8'))));
  },
  baseURL: async ({ dev }, use) => {
    await use(dev.console);
  },
});

export { expect } from '@playwright/test';

/** Signs in as a person does, and waits for the overview. */
export async function signIn(page: Page, user: DevFile['user']): Promise<void> {
  await page.goto('/sign-in');
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password', { exact: true }).fill(user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/t/**');
}
