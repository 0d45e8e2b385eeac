import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Page } from '@playwright/test';
import type { DevFile } from '@vrsky/contracts/dev-file';
import { findLeaksInFiles } from '@vrsky/testkit/find-leaks';
import { build } from 'esbuild';
import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';

const TOKEN = 'kanarie-archive-token-77';
const NEXT_TOKEN = 'kanarie-archive-token-78';
/** A setting that is no secret. */
const PLAIN = 'kanarie-first-line';
/** Another one in a stack that was tested before. */
const KEY = `archive-key-${Date.now().toString(36)}`;

const plugins = () => path.join(path.dirname(process.env.VRSKY_DEV_FILE ?? ''), 'plugins');

/** Puts the connector into the directory of the stack's node, as an operator does: whole, or not at all. */
test.beforeAll(async () => {
  mkdirSync(plugins(), { recursive: true });
  const half = path.join(plugins(), '.archive');
  await build({
    entryPoints: [path.join(import.meta.dirname, 'archive-connector.ts')],
    outfile: half,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: `#!${process.execPath}\nimport { createRequire as $requireOf } from 'node:module';\nconst require = $requireOf(import.meta.url);` },
    logLevel: 'silent',
  });
  chmodSync(half, 0o755);
  renameSync(half, path.join(plugins(), 'archive'));
});
test.afterAll(() => rmSync(path.join(plugins(), 'archive'), { force: true }));

test('a connector of the node has a form whose errors land on their fields, whoever finds them, and Test connection asks the node', async ({ page, dev }) => {
  test.setTimeout(180_000);
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/connectors`);
  await page.getByRole('link', { name: 'Archive' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Archive' })).toBeVisible();
  await expect(page.getByText('Keeps each message as a file in a folder of the node.')).toBeVisible();
  await expect(page.getByRole('row', { name: /Folder folder Text Required/ })).toBeVisible();
  expect(await violationsOf(page), 'a connector').toEqual([]);

  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Archived');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'Archive' }).click();
  await expect(page.getByRole('heading', { name: 'Archive out' })).toBeVisible();

  // It begins with the connector's defaults, and what is merely empty is not yet wrong.
  const folder = page.getByRole('textbox', { name: 'Folder' });
  const timeout = page.getByRole('textbox', { name: 'Timeout' });
  await expect(timeout).toHaveValue('5,000 ms');
  await expect(folder).not.toHaveAccessibleDescription(/Fill this in/);

  // What the schema says, at once and at the field.
  await timeout.fill('7');
  await expect(timeout).toHaveAccessibleDescription(/At least 100/);
  await timeout.fill('700');
  await folder.fill('/none');
  await page.getByRole('textbox', { name: 'First line' }).fill(PLAIN);
  await page.getByRole('combobox', { name: 'Form of When to begin a new file' }).click();
  await page.getByRole('option', { name: 'By size' }).click();
  await page.getByRole('textbox', { name: 'Size' }).fill('4096');
  await page.getByRole('button', { name: 'Add column to Columns' }).click();
  await page.getByRole('button', { name: 'Add entry to Labels' }).click();
  await page.getByRole('textbox', { name: 'Anything' }).fill('{"half');
  await expect(page.getByRole('textbox', { name: 'Anything' })).toHaveAccessibleDescription(/not JSON yet/);
  await page.getByRole('textbox', { name: 'Anything' }).fill('{"whole": true}');

  // A secret is made where it is asked for, and is chosen then.
  const token = page.getByRole('combobox', { name: 'Access token' });
  await addSecret(page, KEY, TOKEN);
  await expect(token).toHaveValue(KEY);

  // The line above the graph leads to the field.
  await page.getByRole('button', { name: /Columns 1, name: Fill this in/ }).click();
  const column = page.getByRole('textbox', { name: 'Column name' });
  await expect(column).toBeFocused();
  await expect(column).toHaveAccessibleDescription(/Fill this in/);
  expect(await violationsOf(page), 'a form with problems').toEqual([]);
  await column.fill('id');

  // What only the connector knows.
  const tried = page.getByRole('region', { name: 'Test connection' });
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(folder).toHaveAccessibleDescription(/There is no folder \/none on this node/);
  await folder.fill('/sealed');
  await expect(folder).not.toHaveAccessibleDescription(/There is no folder/);
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(tried).toContainText('The node may not write there.');
  await folder.fill('/data');
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(tried).toContainText('It works.');
  expect(await violationsOf(page), 'a connection that was tried').toEqual([]);

  await page.getByRole('combobox', { name: 'Version' }).click();
  await page.getByRole('option', { name: /Always exactly 1\.0\.0/ }).click();
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  await page.getByRole('link', { name: 'About this connector' }).click();
  await expect(page.getByRole('link', { name: 'Archived' })).toBeVisible();
  await expect(page.getByRole('table', { name: 'Processes' })).toContainText('Running');

  expect(await page.content()).not.toContain(TOKEN);
  await page.goto(`/t/${dev.tenant.slug}/secrets`);
  await replaceSecret(page, dev);
  expect(await page.content()).not.toContain(TOKEN);
  // Database, NATS, the node's disk and every log are in this folder.
  const found = findLeaksInFiles(path.dirname(process.env.VRSKY_DEV_FILE ?? ''), { TOKEN, NEXT_TOKEN, plain: PLAIN });
  expect(new Set(found.map(({ canary }) => canary))).toEqual(new Set(['plain']));
});

/** By keyboard, from the field that asks for it. */
async function addSecret(page: Page, name: string, value: string): Promise<void> {
  await page.getByRole('button', { name: 'New secret for Access token' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Add secret' });
  await expect(dialog.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('Archive Key');
  await page.keyboard.press('Tab');
  await page.keyboard.type(value);
  await expect(dialog.locator('input[type=password]')).toHaveValue(value);
  await dialog.getByLabel('Hosts it may be sent to').fill('https://archive.example.com/');
  await dialog.getByRole('button', { name: 'Add secret' }).press('Enter');
  await expect(dialog.getByLabel('Name')).toHaveAccessibleDescription(/small letters/);
  await expect(dialog.getByLabel('Hosts it may be sent to')).toHaveAccessibleDescription(/no https:/);
  expect(await violationsOf(page), 'a secret that is refused').toEqual([]);
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByLabel('Hosts it may be sent to').fill('archive.example.com');
  await dialog.getByRole('button', { name: 'Add secret' }).click();
  await expect(dialog).toBeHidden();
}

/** While a pipeline uses it: a new version beside the old one, which the connector gets without a restart; and it cannot be deleted. */
async function replaceSecret(page: Page, dev: DevFile): Promise<void> {
  await page.getByRole('button', { name: `Delete ${KEY}` }).click();
  await page.getByLabel(`Type ${KEY} to confirm`).fill(KEY);
  await page.getByRole('button', { name: 'Delete secret' }).click();
  await expect(page.getByRole('dialog')).toContainText(`“${KEY}” is used by “Archived”`);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: `Replace ${KEY}` }).click();
  const dialog = page.getByRole('dialog', { name: `Replace ${KEY}` });
  await dialog.getByLabel('New value').fill(NEXT_TOKEN);
  await dialog.getByRole('button', { name: 'Replace value' }).click();
  await expect(page.getByRole('row', { name: new RegExp(`${KEY} [0-9a-f]{8} 2 · 1 too until .* archive.example.com Archived`) })).toBeVisible();
  expect(await violationsOf(page), 'secrets').toEqual([]);
  for (const value of [TOKEN, NEXT_TOKEN]) expect(await page.content()).not.toContain(value);
  await page.getByRole('link', { name: 'Archived' }).click();
  await expect(page).toHaveURL(new RegExp(`/t/${dev.tenant.slug}/pipelines/pip_`));
}
