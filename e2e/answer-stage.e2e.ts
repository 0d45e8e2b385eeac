import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';
import { addPart, newPipeline } from './step.ts';

test('the answer of a destination goes on to another one: built in the editor, sent, and followed from message to message', async ({ page, dev }) => {
  await signIn(page, dev.user);
  const url = await newPipeline(page, dev.tenant.slug, 'Looks up customers');
  const parts = page.getByRole('region', { name: 'Parts of the pipeline' });

  // The first destination answers with a customer, in place of a real system.
  await page.getByLabel('Name', { exact: true }).fill('Customers');
  const target = page.getByRole('textbox', { name: 'URL' });
  await target.fill(`${await target.inputValue()}?answer=${encodeURIComponent('{"customer":"Ann"}')}`);

  // A step alone has nowhere to send what it makes of the answer, and the line says where to go on.
  await page.getByRole('button', { name: 'Use the answer' }).click();
  await page.getByRole('menuitem', { name: 'Convert the answer' }).click();
  await expect(page.getByRole('combobox', { name: 'Takes' })).toHaveValue('The answer of “Customers”');
  await page.goBack();
  await expect(page.getByRole('region', { name: 'Problems of the draft' })).toContainText('Add a destination after “Customers”');
  await parts.getByRole('button', { name: /^Customers/ }).click();
  await addPart(page, 'The answer to the test receiver');
  await page.getByLabel('Name', { exact: true }).fill('Orders');
  await expect(page.getByRole('region', { name: 'Problems of the draft' })).toBeHidden();

  const behind = parts.getByRole('list', { name: 'With the answer of Customers' });
  await expect(behind.getByRole('listitem')).toHaveText([/Convert/, /Orders/]);
  await expect(page.getByRole('region', { name: 'Graph of the pipeline' }).getByText('answer', { exact: true })).toBeVisible();
  expect(await violationsOf(page), 'the editor with a stage').toEqual([]);

  // What takes an answer goes with the destination that gives it, and comes back with it.
  await parts.getByRole('button', { name: 'Remove Customers' }).click();
  await expect(page.getByText('With it went what takes its answer: “Convert”, “Orders”.')).toBeVisible();
  await expect(parts.getByRole('listitem')).toHaveCount(1);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(behind.getByRole('listitem')).toHaveCount(2);

  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByText('Running', { exact: true }).first()).toBeVisible();
  const accepted = (await (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"order":7}' })).json()) as {
    messageId: string;
  };

  await page.goto(`/t/${dev.tenant.slug}/messages/${accepted.messageId}`);
  await page.getByText('Its answer went on as').getByRole('link').click();
  await expect(page.getByText('Answer of “Customers” to message')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Orders' })).toBeVisible();
  await expect(page.getByText('200 OK').first()).toBeVisible();
  const answer = page.url().split('/').at(-1) ?? '';
  await page.getByText('Answer of “Customers” to').getByRole('link').click();
  await expect(page).toHaveURL(new RegExp(accepted.messageId));

  const arrived = (await (await fetch(dev.demo.receiverUrl, { headers: { accept: 'application/json' } })).json()) as {
    requests: { headers: Record<string, string>; bodyBase64: string }[];
  };
  const second = arrived.requests.find(({ headers }) => headers['idempotency-key']?.startsWith(answer));
  expect(JSON.parse(Buffer.from(second?.bodyBase64 ?? '', 'base64').toString())).toMatchObject({ customer: 'Ann' });
});
