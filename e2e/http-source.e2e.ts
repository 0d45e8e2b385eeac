import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';

test('a source is told to ask who sends; who does not show it is refused, and the reason stands on the connector’s page', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Guarded');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();

  // What is not set is shown as what it is by itself.
  const scheme = page.getByRole('combobox', { name: 'Form of Authentication' });
  // The code of the form comes when a form is shown.
  await expect(scheme).toHaveValue('None', { timeout: 60_000 });
  await scheme.click();
  await page.getByRole('option', { name: 'JSON Web Token' }).click();
  await page.getByRole('textbox', { name: 'URL of the keys' }).fill('ftp://issuer.test/keys');
  await page.getByRole('textbox', { name: 'Issuer' }).fill('https://issuer.test');
  await page.getByRole('textbox', { name: 'Audience' }).fill('orders');
  await page.getByText('Limits', { exact: true }).first().click();
  const size = page.getByRole('textbox', { name: 'Size of a body' });
  await size.fill('9999999');
  await expect(size).toHaveAccessibleDescription(/1,?048,?576/);
  await size.fill('1000');
  await expect(size).not.toHaveAccessibleDescription(/At most/);
  expect(await violationsOf(page), 'the settings of a source').toEqual([]);

  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request to the test receiver' }).click();
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  // The connector itself is asked, and knows better what a URL of keys is.
  await page.getByRole('button', { name: /Enter a URL with https/ }).click();
  const keys = page.getByRole('textbox', { name: 'URL of the keys' });
  await expect(keys).toHaveAccessibleDescription(/Enter a URL with https/);
  await keys.fill('https://issuer.test/keys');
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');

  const refused = await fetch(url, { method: 'POST', body: '{}' });
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, 'credential_missing']);
  await expect(async () => {
    await page.goto(`/t/${dev.tenant.slug}/connectors/http`);
    await expect(page.locator('main')).toContainText('“Webhook” of the pipeline “Guarded” refused 1 request: credential missing (1).', { timeout: 2_000 });
  }).toPass({ timeout: 40_000 });
});

test('a sender waits for the result of its pipeline, and a destination whose answer it waits for is missed at the field when it goes', async ({
  page,
  dev,
}) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Answering');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request to the test receiver' }).click();
  await page.getByRole('button', { name: /^Webhook/ }).click();

  const answer = page.getByRole('combobox', { name: 'Answer the sender with' });
  await answer.click();
  await page.getByRole('option', { name: 'The result of the steps' }).click();
  await page.getByRole('textbox', { name: 'Wait at most' }).fill('5');
  expect(await violationsOf(page), 'what a sender waits for').toEqual([]);
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  const told = await fetch(url, { method: 'POST', body: '{"order":7}', headers: { 'content-type': 'application/json' } });
  expect([told.status, told.headers.get('vrsky-result'), await told.text()]).toEqual([200, 'done', '{"order":7}']);

  await answer.click();
  await page.getByRole('option', { name: 'The answer of HTTP request' }).click();
  await page.getByRole('button', { name: 'Remove HTTP request' }).click();
  await page.getByRole('button', { name: /There is no destination/ }).click();
  await expect(answer).toBeFocused();
  await expect(answer).toHaveAccessibleDescription(/There is no destination/);
});
