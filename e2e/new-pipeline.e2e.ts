import { expect, signIn, test } from './app.ts';
import { instructionsOf, paste } from './step.ts';

const convert = `import { defineConvert } from '@vrsky/sdk';

export default defineConvert((msg) => {
  const { first, last } = msg.json();
  return { name: \`\${last}, \${first}\` };
});
`;

const post = (url: string, body: unknown) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

test('a pipeline is built, published and used without leaving its page', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Names');
  await page.getByRole('button', { name: 'Create pipeline' }).click();

  // The URL exists at once, and says so honestly while nothing is published.
  await expect(page.getByRole('heading', { name: 'Names' })).toBeVisible();
  const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();
  expect(url).toMatch(/\/in\/in_[0-9a-z]{24}$/);
  expect((await post(url, {})).status).toBe(404);

  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'Convert with TypeScript' }).click();

  await paste(page, 'TypeScript of Convert', convert.replace('msg.json()', 'msg.jsn()'));
  await expect(page.getByText(/Line 4: .*jsn/).first()).toBeVisible();
  await paste(page, 'TypeScript of Convert', convert);
  await expect(page.getByText('No problems found')).toBeVisible();
  await paste(page, 'Sample message', '{"first":"Ada","last":"Lovelace"}');
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Lovelace, Ada');
  await expect(instructionsOf(page)).toHaveText(/[\d,]{5,}/);

  await page.getByRole('button', { name: 'Names', exact: true }).click();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request to the test receiver' }).click();
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');

  expect((await post(url, { first: 'Grace', last: 'Hopper' })).status).toBe(202);
  await expect(page.getByRole('table', { name: 'Newest messages' })).toContainText('Delivered');
  await page.getByRole('link', { name: 'Test receiver', exact: true }).click();
  await expect(page.locator('main')).toContainText('Hopper, Grace');
});

test('the same by keyboard alone', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  const press = async (name: string | RegExp, role: 'button' | 'menuitem' = 'button') => {
    await page.getByRole(role, { name }).first().focus();
    await page.keyboard.press('Enter');
  };
  /** Opens the menu and goes down to the item, as one does who looks where the mark is. */
  const choose = async (item: string) => {
    await press('Add part');
    const wanted = page.getByRole('menuitem', { name: item, exact: true });
    await expect(wanted).toBeVisible();
    await expect(async () => {
      await page.keyboard.press('ArrowDown');
      await expect(wanted).toBeFocused({ timeout: 200 });
    }).toPass({ intervals: [0] });
    await page.keyboard.press('Enter');
  };
  await press('New pipeline');
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'By keyboard' })).toBeVisible();

  await choose('Filter with TypeScript');
  await expect(page.getByRole('heading', { name: 'Filter step Filter' })).toBeAttached();
  await press('By keyboard');
  await expect(page.getByRole('button', { name: /^Filter/ })).toBeFocused();
  await choose('HTTP request to the test receiver');
  await expect(page.getByRole('heading', { name: 'HTTP out' })).toBeVisible();

  // A part can be removed, and the removal undone.
  await press('Remove Filter');
  await expect(page.getByRole('button', { name: /^Filter/ })).toHaveCount(0);
  await press('Undo');
  await expect(page.getByRole('button', { name: /^Filter/ })).toHaveCount(1);
  await press(/Publish revision 1/);
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
});

test('what cannot be published says what to mend, and leads there', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await page.goto(`/t/${dev.tenant.slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill('Unfinished');
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  await expect(page.getByRole('heading', { name: 'Unfinished' })).toBeVisible();
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: 'HTTP request', exact: true }).click();
  await page.getByRole('textbox', { name: 'URL' }).fill('not a url');
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  const problems = page.getByRole('region', { name: 'Problems of the draft' });
  await expect(problems).toContainText('whole URL');
  await page
    .getByRole('button', { name: /^Webhook|^HTTP in/ })
    .first()
    .click();
  await problems.getByRole('button').first().click();
  await expect(page.getByRole('heading', { name: 'HTTP out' })).toBeVisible();
});
