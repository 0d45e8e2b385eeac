import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, signIn, test } from './app.ts';

const run = promisify(execFile);

test('home shows what runs: the demo pipeline, its node, the course of its messages', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await expect(page.getByRole('row', { name: /Orders.*Running/ })).toBeVisible();
  await expect(page.getByText('node-1').first()).toBeVisible();
  await expect(page.getByRole('figure', { name: /Messages a minute/ })).toBeVisible();
});

test('a message sent from a terminal is on the page without reload, and its trail tells every hop', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines/${dev.demo.pipelineId}`);
  // The line that the page offers is the line that is run.
  const curl = await page.getByLabel('curl line', { exact: true }).textContent();
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const { stdout } = await run('sh', ['-c', `${curl} -s -H 'traceparent: 00-${traceId}-00f067aa0ba902b7-01' -H 'Customer-ID: cus_somebodyelse'`]);
  expect(stdout).toContain('202 Accepted');
  const { messageId } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { messageId: string };

  await page.locator(`[data-row="${messageId}"]`).getByRole('link').click();
  await expect(page.getByText('Delivered').first()).toBeVisible();
  const trail = page.locator('main');
  await expect(page.getByRole('button', { name: `copy Customer-ID ${dev.tenant.customerId}` })).toBeVisible();
  await expect(trail).not.toContainText('cus_somebodyelse');
  await expect(page.getByRole('button', { name: `copy trace id ${traceId}` })).toBeVisible();
  await expect(trail).toContainText('Reshape order');
  await expect(trail).toContainText('Only paid orders');
  await expect(trail).toContainText(/[\d,]+ instructions/);
  // The payload as it came and as the step left it, recomputed on a node.
  await expect(trail).toContainText('Ada@Example.com');
  await expect(trail).toContainText('ada@example.com');
  // The receiver's answer.
  await expect(trail).toContainText('200');
});

test('a message that a filter stops says why', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/messages`);
  const body = { id: 'A-7', status: 'open', customer: { name: 'Ada', email: 'a@b.test' }, items: [] };
  const answer = await fetch(dev.demo.ingestUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const { messageId } = (await answer.json()) as { messageId: string };
  await page.goto(`/t/${dev.tenant.slug}/messages/${messageId}`);
  await expect(page.getByText('status is open, not paid').first()).toBeVisible();
});

test('a message that a step cannot read is a dead letter with its reason, and can be sent again', async ({ page, dev }) => {
  await signIn(page, dev.user);
  const answer = await fetch(dev.demo.ingestUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"A-8"}' });
  expect(answer.status).toBe(202);
  await page.goto(`/t/${dev.tenant.slug}/dead-letters`);
  const letter = page.getByRole('row', { name: /Reshape order/ }).first();
  await expect(letter).toBeVisible();
  await letter.getByRole('button', { name: /Send .*again/ }).click();
  await expect(page.getByText(/[Ss]ent again/).first()).toBeVisible();
});

test('the nodes page tells state, version, generation and what a node runs', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.getByRole('link', { name: 'Nodes' }).first().click();
  const main = page.locator('main');
  await expect(main).toContainText('node-1');
  await expect(main).toContainText('Live');
  await expect(main).toContainText('Orders');
});
