import { randomBytes } from 'node:crypto';
import type { Locator, Page } from '@playwright/test';
import { eventually } from '@vrsky/testkit/eventually';
import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';
import { deliver, startFlow } from './github.ts';
import { type OrdersApi, startOrdersApi } from './orders-api.ts';
import { addPart } from './step.ts';

/** A stack that runs already may have those of an earlier run. */
const run = Date.now().toString(36);
const SECRET = `github-webhook-${run}`;
const [OLD, NEW] = [randomBytes(20).toString('hex'), randomBytes(20).toString('hex')] as const;

test('a customer’s hour: a signed source, a secret that is rotated while requests flow, a receiver with OAuth that asks for time, and one that is down', async ({
  page,
  dev,
}) => {
  test.setTimeout(180_000);
  const api = await startOrdersApi(dev.ownReceiver);
  try {
    await signIn(page, dev.user);
    const url = await buildPipeline(page, dev.tenant.slug, api);
    await seeRefusal(page, url);
    const accepted = await rotate(page, dev.tenant.slug, url);
    // Nothing that was answered with 202 is missing, and one token served all of it.
    await eventually(() => accepted.every((id) => api.requests.some(({ messageId }) => messageId === id)), {
      what: 'every accepted message',
      timeoutMs: 20_000,
    });
    const issued = api.tokensIssued;
    await slowDown(page, url, api);
    await goDownAndComeBack(page, url, api);
    expect(issued, 'one for Test connection, one for all messages').toBe(2);
    expect(api.tokensIssued).toBe(issued);
  } finally {
    await api.down();
  }
});

/** Secrets are made where the fields ask for them. Gives back the source's URL. */
async function buildPipeline(page: Page, slug: string, api: OrdersApi): Promise<string> {
  await page.goto(`/t/${slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Pull requests');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();
  // The code of the form comes when a form is shown.
  await page.getByRole('combobox', { name: 'Form of Authentication' }).click({ timeout: 60_000 });
  await page.getByRole('option', { name: 'GitHub' }).click();
  await newSecret(page, 'Secret', SECRET, OLD);

  await addPart(page, 'HTTP request');
  await page.getByRole('textbox', { name: 'Name' }).fill('Orders');
  await page.getByRole('textbox', { name: 'URL', exact: true }).fill(api.url);
  await page.getByText('Authentication', { exact: true }).first().press('Enter');
  await page.getByRole('combobox', { name: 'Form of Authentication' }).click();
  await page.getByRole('option', { name: /OAuth 2/ }).click();
  await page.getByRole('textbox', { name: 'Token URL' }).fill(api.tokenUrl);
  await page.getByRole('textbox', { name: 'Client ID' }).fill(api.client.id);
  await page.getByRole('textbox', { name: 'Scope' }).fill(api.client.scope);
  // The hosts are those of the token URL without anybody typing them.
  await newSecret(page, 'Client secret', `orders-client-${run}`, api.client.secret);
  await page.getByRole('textbox', { name: 'First wait' }).fill('500');
  await page.getByRole('textbox', { name: 'Longest wait' }).fill('2000');
  await page.getByRole('textbox', { name: 'Attempts' }).fill('20');
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(page.getByRole('region', { name: 'Test connection' })).toContainText('gave an access token');
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  return url;
}

async function newSecret(page: Page, field: string, name: string, value: string): Promise<void> {
  await page.getByRole('button', { name: `New secret for ${field}` }).click();
  const dialog = page.getByRole('dialog', { name: 'Add secret' });
  await dialog.getByLabel('Name').fill(name);
  await dialog.locator('input[type=password]').fill(value);
  await dialog.getByRole('button', { name: 'Add secret' }).click();
  await expect(page.getByRole('combobox', { name: field, exact: true })).toHaveValue(name);
}

async function seeRefusal(page: Page, url: string): Promise<void> {
  expect(await deliver(url, 'another secret')).toMatchObject({ status: 401, code: 'signature_mismatch' });
  const refused = page.getByRole('region', { name: 'Refused requests' });
  await expect(refused).toContainText('1 request refused');
  await expect(refused).toContainText('Signature does not match');
  await expect(refused).toContainText('The secret differs from the one entered at GitHub, or the body was changed on the way.');
  expect(await violationsAtTop(page), 'a refusal').toEqual([]);
  expect((await deliver(url, OLD)).status).toBe(202);
  await expect(newest(page)).toContainText('Delivered');
}

/** The ids of everything that was accepted meanwhile. */
async function rotate(page: Page, slug: string, url: string): Promise<string[]> {
  const pipelinePage = page.url();
  let refused = 1;
  const answerTo = async (secret: string): Promise<number> => {
    const { status } = await deliver(url, secret);
    if (status === 401) refused++;
    return status;
  };
  const flow = startFlow(url, 50);
  flow.signWith(OLD);
  const goesOn = async (more: number) => {
    const from = flow.answers.length;
    await eventually(() => flow.answers.length >= from + more, { what: 'the flow' });
  };
  await page.goto(`/t/${slug}/secrets`);
  await page.getByRole('button', { name: `Replace ${SECRET}` }).click();
  const dialog = page.getByRole('dialog', { name: `Replace ${SECRET}` });
  await dialog.getByLabel('New value').fill(NEW);
  await goesOn(5);
  await dialog.getByRole('button', { name: 'Replace value' }).click();
  const row = page.getByRole('row', { name: new RegExp(SECRET) });
  await expect(row).toContainText('2 · 1 too until');
  // The nodes know the new one a moment later; until then GitHub still has the old one.
  await eventually(async () => (await answerTo(NEW)) === 202, { what: 'the new secret on the node' });
  flow.signWith(OLD, NEW);
  await goesOn(20);
  expect(await violationsAtTop(page), 'an overlap').toEqual([]);
  flow.signWith(NEW);
  await goesOn(5);
  await page.getByRole('button', { name: `End overlap of ${SECRET}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End overlap' }).click();
  await expect(row).not.toContainText('too until');
  await eventually(async () => (await answerTo(OLD)) === 401, { what: 'the old secret to be refused' });
  await goesOn(5);
  await flow.stop();
  expect(flow.answers.filter(({ status }) => status !== 202)).toEqual([]);

  await page.goto(pipelinePage);
  await expect(page.getByRole('region', { name: 'Refused requests' })).toContainText(`${refused} requests refused`);
  return flow.answers.flatMap(({ messageId }) => messageId ?? []);
}

async function slowDown(page: Page, url: string, api: OrdersApi): Promise<void> {
  api.answerNext({ status: 429, headers: { 'retry-after': '2' }, body: '{"error":"too many orders"}' });
  const { messageId = '' } = await deliver(url, NEW);
  await expect(notice(page)).toContainText('“Orders” asks to slow down: 1 message waits');
  await newest(page).getByRole('row').nth(1).getByRole('link').first().click();
  await expect(page).toHaveURL(new RegExp(messageId));
  const attempts = page.getByRole('listitem').filter({ hasText: /^Attempt \d/ });
  const [first, second] = [attempts.nth(0), attempts.nth(1)];
  await expect(second).toContainText('Delivered');
  for (const text of [
    'Attempt 1',
    'Failed',
    '429 Too Many Requests',
    'The receiver answered 429 and asks to wait 2 s.',
    'Next attempt not before',
    'too many orders',
  ])
    await expect(first).toContainText(text);
  await expect(second).toContainText('200 OK');
  for (const attempt of [first, second]) await expect(attempt).toContainText(/\d\s(µs|ms|s)/);
  const [refused, taken] = api.requests.filter((request) => request.messageId === messageId);
  expect([refused?.status, taken?.status]).toEqual([429, 200]);
  const waitedMs = (taken?.atMs ?? 0) - (refused?.atMs ?? 0);
  expect(waitedMs).toBeGreaterThanOrEqual(1_990);
  expect(waitedMs).toBeLessThan(5_000);
  expect(Date.parse((await first.locator('time').last().getAttribute('datetime')) ?? '') - (taken?.atMs ?? 0)).toBeLessThanOrEqual(0);
  expect(await violationsAtTop(page), 'a trail').toEqual([]);
  await page.getByRole('link', { name: 'Pull requests' }).first().click();
}

async function goDownAndComeBack(page: Page, url: string, api: OrdersApi): Promise<void> {
  await expect(notice(page)).toContainText('“Orders” takes messages again');
  await api.down();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push((await deliver(url, NEW)).messageId ?? '');
  for (const text of [
    '“Orders” does not take messages: 3 messages wait',
    'Nothing accepts connections at',
    'Failing since:',
    'Next attempt:',
    'Start the receiver',
    'Nothing is lost',
  ])
    await expect(notice(page)).toContainText(text);
  expect(await violationsAtTop(page), 'a receiver that is down').toEqual([]);
  await api.up();
  await expect(notice(page)).toContainText('“Orders” takes messages again');
  await expect(notice(page)).not.toContainText('wait');
  expect(await violationsAtTop(page), 'a receiver that is back').toEqual([]);
  expect(ids.filter((id) => !api.requests.some(({ messageId, status }) => messageId === id && status === 200))).toEqual([]);
}

function newest(page: Page): Locator {
  return page.getByRole('table', { name: 'Newest messages' });
}

function notice(page: Page): Locator {
  return page.getByRole('region', { name: 'Destination Orders' }).first();
}

/** What is half under the bar at the top would count as too small to hit. */
async function violationsAtTop(page: Page) {
  await page.evaluate(() => scrollTo(0, 0));
  return violationsOf(page);
}
