import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';

test('a destination in strict order holds later messages back while one is tried again, says so on their pages, and goes on with a new revision', async ({
  page,
  dev,
}) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('In order');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  const source = await page.getByRole('textbox', { name: 'URL' }).inputValue();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request to the test receiver' }).click();
  await expect(page.getByRole('heading', { name: 'HTTP out' })).toBeVisible();
  const url = page.getByRole('textbox', { name: 'URL' });
  await url.fill(`${await url.inputValue()}?failTimes=1&status=503&retryAfter=300`);
  const strict = page.getByRole('checkbox', { name: 'Strict order' });
  await expect(strict).not.toBeChecked();
  await strict.check();
  await expect(strict).toHaveAccessibleDescription(/holds up all that comes behind/);
  await page.evaluate(() => scrollTo(0, 0));
  expect(await violationsOf(page), 'the form').toEqual([]);
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  const editor = page.url();

  const send = async (body: string) => ((await (await fetch(source, { method: 'POST', body })).json()) as { messageId: string }).messageId;
  const [first, second] = [await send('1'), await send('2')];
  const main = page.locator('main');
  const open = (id: string) => page.goto(`/t/${dev.tenant.slug}/messages/${id}`);
  await expect(async () => {
    await open(second);
    await expect(main).toContainText('It waits for its turn: this destination gets its messages in strict order.', { timeout: 2_000 });
  }).toPass({ timeout: 20_000 });
  await expect(async () => {
    await open(first);
    await expect(main).toContainText(/Next attempt .*At least one message waits behind it\./, { timeout: 2_000 });
  }).toPass({ timeout: 30_000 });
  expect(await violationsOf(page), 'a message that holds others back').toEqual([]);

  // What somebody corrected is tried at once, not in five minutes.
  await page.goto(editor);
  await page
    .getByRole('button', { name: /HTTP request/ })
    .first()
    .click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Corrected');
  await page.getByRole('button', { name: 'Publish revision 2' }).click();
  await expect(page.getByRole('region', { name: 'Revision 2 on the nodes' })).toContainText('Applied');
  await open(first);
  await expect(main.getByText('Delivered').first()).toBeVisible({ timeout: 20_000 });
  // Now it is the next one's turn, which the receiver refuses once as well.
  await open(second);
  await expect(main).toContainText('Attempt 1', { timeout: 20_000 });
});
