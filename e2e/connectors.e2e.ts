import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { goEnv } from '@vrsky/testkit/config';
import { goMissing } from '@vrsky/testkit/go';
import { expect, signIn, test } from './app.ts';

const root = path.resolve(import.meta.dirname, '..');
const missing = goMissing();
const MESSAGES = 10_000;
const SENDERS = 16;

interface Page {
  items: { id: string; state: string }[];
  nextCursor: string | null;
}

test.describe(missing === null ? 'a Go connector' : `a Go connector (skipped: ${missing})`, () => {
  test.skip(missing !== null, missing ?? '');

  test('made by the tutorial’s commands is found, used beside HTTP, killed and upgraded under 10,000 messages, and each has its outcome', async ({
    page,
    dev,
  }) => {
    test.setTimeout(300_000);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'vrsky-poc-'));
    const project = path.join(folder, 'ship-it');
    const plugins = path.join(path.dirname(process.env.VRSKY_DEV_FILE as string), 'plugins');
    const vrsky = (...args: string[]) =>
      promisify(execFile)(path.join(root, 'node_modules/.bin/vrsky'), args, {
        cwd: args[0] === 'init' ? folder : project,
        env: { ...goEnv(), PATH: `${path.join(root, 'node_modules/.bin')}:${process.env.PATH}` },
      });
    /** The manifest first, then the executable by rename: a node never sees half of it. Answers the digest. */
    const put = async (): Promise<string> => {
      await vrsky('build');
      mkdirSync(plugins, { recursive: true });
      copyFileSync(path.join(project, 'dist/ship-it.json'), path.join(plugins, 'ship-it.json'));
      copyFileSync(path.join(project, 'dist/ship-it'), path.join(plugins, '.ship-it'));
      renameSync(path.join(plugins, '.ship-it'), path.join(plugins, 'ship-it'));
      return createHash('sha256')
        .update(readFileSync(path.join(plugins, 'ship-it')))
        .digest('hex');
    };

    try {
      await vrsky('init', 'ship-it', '--template', 'connector-go');
      const digest = await put();

      await signIn(page, dev.user);
      await page.goto(`/t/${dev.tenant.slug}/connectors`);
      const row = page.getByRole('link', { name: 'My connector' });
      await expect(row).toBeVisible({ timeout: 30_000 });
      await row.click();
      await expect(page.getByRole('heading', { name: 'My connector', level: 1 })).toBeVisible();
      await expect(page.locator('main')).toContainText('Counts, and takes the fingerprints of messages.');
      await expect(page.locator('main')).toContainText('Milliseconds between two messages');

      await page.goto(`/t/${dev.tenant.slug}/pipelines`);
      await page.getByRole('button', { name: 'New pipeline' }).first().click();
      await page.getByLabel('Name').fill('Ship it');
      await page.getByRole('button', { name: 'Create pipeline' }).click();
      await expect(page.getByRole('heading', { name: 'Ship it' })).toBeVisible();
      const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();
      await page.getByRole('button', { name: 'Add part' }).click();
      await page.getByRole('menuitem', { name: 'HTTP request to the test receiver' }).click();
      await page.getByRole('button', { name: 'Add part' }).click();
      await page.getByRole('menuitem', { name: 'My connector', exact: true }).click();
      await expect(page.getByRole('combobox', { name: 'Signing key' })).toBeVisible();
      await page.getByRole('button', { name: 'Test connection' }).click();
      await expect(page.getByText('It works.')).toBeVisible({ timeout: 30_000 });
      await expect(page.getByText('There is nothing to reach yet.')).toBeVisible();
      await page.getByRole('button', { name: 'Publish revision 1' }).click();
      await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied', { timeout: 30_000 });

      const pipelineId = new URL(page.url()).pathname.split('/').at(-1) as string;
      const accepted = new Set<string>();
      let next = 0;
      const sender = async (): Promise<void> => {
        for (let n = next++; n < MESSAGES; n = next++) {
          const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ n }) });
          // A source that is full says when to come again; a sender that gives up would lose it.
          if (response.status === 202) accepted.add(((await response.json()) as { messageId: string }).messageId);
          else {
            await response.arrayBuffer();
            await new Promise((resolve) => setTimeout(resolve, 200));
            next = Math.min(next, n);
          }
        }
      };
      const sending = Promise.all(Array.from({ length: SENDERS }, sender));

      // Killed half-way, with everything it has in hand.
      await expect.poll(() => accepted.size, { timeout: 120_000 }).toBeGreaterThan(MESSAGES * 0.4);
      const killed = processesOf(digest);
      expect(killed.length).toBeGreaterThan(0);
      for (const pid of killed) endNow(pid);
      await expect.poll(() => processesOf(digest).filter((pid) => !killed.includes(pid)).length, { timeout: 30_000 }).toBeGreaterThan(0);

      // Upgraded in place while the rest flows.
      const manifest = path.join(project, 'vrsky.json');
      writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"version": "0.1.0"', '"version": "0.2.0"'));
      const newer = await put();
      await expect.poll(() => processesOf(newer).length, { timeout: 60_000 }).toBeGreaterThan(0);
      await expect.poll(() => processesOf(digest).length, { timeout: 60_000 }).toBe(0);
      await sending;
      expect(accepted.size).toBe(MESSAGES);

      // Every one has its outcome at both destinations; the trail follows within seconds.
      await expect.poll(() => countDelivered(dev, pipelineId, accepted), { timeout: 120_000, intervals: [1_000] }).toBe(MESSAGES);

      await page.goto(`/t/${dev.tenant.slug}/connectors/ship-it`);
      const main = page.locator('main');
      await expect(main).toContainText('0.2.0');
      await expect(main).toContainText('Upgraded from 0.1.0 to 0.2.0', { timeout: 30_000 });
      await expect(main).toContainText('ended by SIGKILL', { timeout: 30_000 });
    } finally {
      for (const name of ['ship-it', 'ship-it.json', '.ship-it']) rmSync(path.join(plugins, name), { force: true });
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Processes that run the release with this digest: a node runs a copy that is named after it. */
function processesOf(digest: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // The plugin itself, not the programs that put it into its sandbox, whose arguments name it as well.
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]?.endsWith(digest) ?? false;
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** How many of the accepted messages are delivered; a message is that only when it is so at every destination. */
async function countDelivered(dev: { console: string; apiKey: string }, pipelineId: string, accepted: ReadonlySet<string>): Promise<number> {
  let delivered = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams({ pipelineId, state: 'delivered', limit: '200', ...(cursor === '' ? {} : { cursor }) });
    const response = await fetch(`${dev.console}/api/v1/messages?${query}`, { headers: { authorization: `Bearer ${dev.apiKey}` } });
    expect(response.status).toBe(200);
    const { items, nextCursor } = (await response.json()) as Page;
    delivered += items.filter(({ id }) => accepted.has(id)).length;
    cursor = nextCursor;
  }
  return delivered;
}
