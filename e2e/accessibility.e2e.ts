import type { DevFile } from '@vrsky/contracts/dev-file';
import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';
import { instructionsOf, paste } from './step.ts';

const pages: Record<string, (dev: DevFile) => string> = {
  Overview: (dev) => `/t/${dev.tenant.slug}`,
  Pipelines: (dev) => `/t/${dev.tenant.slug}/pipelines`,
  'a pipeline': (dev) => `/t/${dev.tenant.slug}/pipelines/${dev.demo.pipelineId}`,
  Messages: (dev) => `/t/${dev.tenant.slug}/messages`,
  'Dead letters': (dev) => `/t/${dev.tenant.slug}/dead-letters`,
  Connectors: (dev) => `/t/${dev.tenant.slug}/connectors`,
  'a connector': (dev) => `/t/${dev.tenant.slug}/connectors/http`,
  'a connector that nobody offers': (dev) => `/t/${dev.tenant.slug}/connectors/nothing`,
  Nodes: (dev) => `/t/${dev.tenant.slug}/nodes`,
  'Test receiver': (dev) => `/t/${dev.tenant.slug}/receiver`,
  Secrets: (dev) => `/t/${dev.tenant.slug}/secrets`,
  'API keys': (dev) => `/t/${dev.tenant.slug}/api-keys`,
  'an address that leads nowhere': (dev) => `/t/${dev.tenant.slug}/pipelines/pip_00000000000000000000000000`,
};

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every page keeps to WCAG 2.2 AA, ${colorScheme}`, async ({ page, dev }) => {
    test.setTimeout(180_000);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto('/sign-in');
    expect(await violationsOf(page), 'sign-in').toEqual([]);
    await signIn(page, dev.user);
    const sent = await fetch(dev.demo.ingestUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"A-9","status":"paid"}' });
    const { messageId } = (await sent.json()) as { messageId: string };
    const all = { ...pages, 'a message': (_dev: DevFile) => `/t/${dev.tenant.slug}/messages/${messageId}` };
    for (const [name, address] of Object.entries(all)) {
      await page.goto(address(dev));
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await page.waitForLoadState('load');
      await expect(page.locator('main [aria-hidden] .mantine-Skeleton-root')).toHaveCount(0);
      expect(await violationsOf(page), name).toEqual([]);
    }
    await page.goto(`/t/${dev.tenant.slug}/pipelines/${dev.demo.pipelineId}`);
    await page
      .getByRole('button', { name: /Reshape order/ })
      .first()
      .click();
    await expect(page.getByText('No problems found')).toBeVisible();
    await expect(instructionsOf(page)).toHaveText(/[\d,]{5,}/);
    expect(await violationsOf(page), 'a step').toEqual([]);
    await paste(page, 'TypeScript of Reshape order', 'export default (msg: Message) => msg.jsn();');
    await expect(page.getByText('1 error')).toBeVisible();
    await page.getByRole('button', { name: 'Save as fixture' }).click();
    await expect(page.getByText('As expected')).toBeVisible();
    expect(await violationsOf(page), 'a fixture of a step that fails').toEqual([]);
    // The demo pipeline stays as it was.
    for (const undo = page.getByRole('button', { name: 'Undo' }); await undo.isEnabled(); ) await undo.click();
    await expect(page.getByText('Draft saved')).toBeVisible();
    await page.getByRole('button', { name: 'Orders', exact: true }).click();
    await page
      .getByRole('button', { name: /HTTP request/ })
      .first()
      .click();
    await expect(page.getByRole('heading', { name: 'HTTP out' })).toBeVisible();
    expect(await violationsOf(page), 'a destination').toEqual([]);
  });
}
