import type { Page } from '@playwright/test';
import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';

test('an HTTP destination has authentication and the rest beside its URL, and what the server and the connector find lands on the field', async ({
  page,
  dev,
}) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Authorised');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  await expect(page.getByRole('heading', { name: 'Authorised' })).toBeVisible();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'HTTP out' })).toBeVisible();
  await page.getByRole('textbox', { name: 'URL' }).fill('https://api.example.com/orders/{{ message.id }}');

  // From the connector's own schema, closed until somebody wants it.
  const form = page.getByRole('combobox', { name: 'Form of Authentication' });
  await expect(form).toBeHidden();
  await page.getByText('Advanced', { exact: true }).press('Enter');
  const rate = page.getByRole('textbox', { name: 'Requests per second' });
  await rate.fill('0');
  await expect(rate).toHaveAccessibleDescription(/0\.25/);
  await rate.fill('5');
  await expect(page.getByRole('checkbox', { name: 'One after the other' }), 'strict order has taken its place').toHaveCount(0);
  expect(await violationsAtTop(page), 'advanced').toEqual([]);

  // What only the connector can say.
  const method = page.getByRole('textbox', { name: 'Method by template' });
  await method.fill('{{ message.method');
  await page.getByRole('button', { name: 'Test connection' }).click();
  await expect(method).toHaveAccessibleDescription(/is no template/);
  await method.fill('');

  // What only the server knows.
  await page.getByText('Authentication', { exact: true }).first().press('Enter');
  await form.click();
  await page.getByRole('option', { name: 'Bearer token' }).click();
  expect(await violationsAtTop(page), 'authentication').toEqual([]);
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await page.getByRole('button', { name: /Fill this in/ }).click();
  await expect(page.getByRole('combobox', { name: 'Token' })).toHaveAccessibleDescription(/Fill this in/);
});

/** What is half under the bar at the top would count as too small to hit. */
async function violationsAtTop(page: Page) {
  await page.evaluate(() => scrollTo(0, 0));
  return violationsOf(page);
}
