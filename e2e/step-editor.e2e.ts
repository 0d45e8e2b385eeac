import type { Locator, Page } from '@playwright/test';
import { wat } from '@vrsky/metering/test/wat';
import { expect, signIn, test } from './app.ts';
import { violationsOf } from './axe.ts';
import { addPart, instructionsOf, newPipeline, paste } from './step.ts';

const typescript = `import { defineConvert } from '@vrsky/sdk';

export default defineConvert((msg, ctx) => {
  const order = msg.json();
  ctx.log('order', order.id);
  return { id: order.id, total: order.lines.reduce((sum, line) => sum + line.quantity * line.price, 0), by: ctx.metadata.customerId, as: msg.id };
});
`;

const assemblyscript = `import { defineConvert, json, JsonObject } from '@vrsky/sdk';

export default defineConvert((msg, ctx) => {
  const order = msg.json();
  ctx.log('order', order.str('id'));
  return json(new JsonObject().set('id', order.str('id')).set('lines', order.get('lines')));
});
`;

const result = (page: Page): Locator => page.getByRole('region', { name: 'Result' });
const says = (page: Page): Locator => page.getByRole('region', { name: 'Problems and log' });

/** Goes on with the Tab key, as one does who looks where the focus is. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await expect(async () => {
    await page.keyboard.press('Tab');
    await expect(target).toBeFocused({ timeout: 50 });
  }).toPass({ intervals: [0], timeout: 10_000 });
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`a step is written by keyboard alone, with completion, errors at their line, and output and count while typing, ${colorScheme}`, async ({
    page,
    dev,
  }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await signIn(page, dev.user);
    await newPipeline(page, dev.tenant.slug, `Typed ${colorScheme}`);
    await addPart(page, 'Convert with TypeScript');
    const code = page.getByLabel('TypeScript of Convert');
    await expect(page.getByText('No problems found')).toBeVisible();
    await expect(result(page)).toContainText('"checked": true');
    const before = (await instructionsOf(page).textContent()) ?? '';

    await tabTo(page, code);
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('export default (msg: Message, ctx: Context) => ({ name: msg');
    await page.keyboard.type('.');
    await expect(page.getByRole('option', { name: 'json' })).toBeVisible();
    expect(await violationsOf(page), 'with completion open').toEqual([]);
    // The list is open: what is typed chooses from it.
    await page.keyboard.type('js');
    await expect(page.getByRole('option', { name: 'json', selected: true })).toBeVisible();
    await page.keyboard.press('Enter');
    await page.keyboard.type('().');
    await page.keyboard.press('Escape');
    await page.keyboard.type('customer.frst.nme.deep');
    // Types cannot know it, so running it shows it, at its line.
    await expect(result(page)).toContainText('Line 1');
    for (const _ of '.frst.nme.deep') await page.keyboard.press('Backspace');
    await page.keyboard.type('.first');
    await expect(result(page)).toContainText('"name": "Ada"');
    await expect(instructionsOf(page)).not.toHaveText(before);

    await page.keyboard.press('ControlOrMeta+End');
    await page.keyboard.press('Enter');
    await page.keyboard.type('const n: number = "one"');
    await page.keyboard.press('Escape');
    await expect(says(page)).toContainText("Line 2: Type 'string' is not assignable to type 'number'");
    await expect(page.getByText('1 error')).toBeVisible();
    // The keyboard leaves the editor again.
    await page.keyboard.press('Tab');
    await expect(code).not.toBeFocused();
    expect(await violationsOf(page), 'with an error').toEqual([]);
  });
}

test('a fixture that fails stops publishing with its reason, and the page leads to it', async ({ page, dev }) => {
  await signIn(page, dev.user);
  await newPipeline(page, dev.tenant.slug, 'Kept to its fixtures');
  await addPart(page, 'Convert with TypeScript');
  const source = 'export default (msg: Message) => ({ by: msg.json().customer.first });\n';
  await paste(page, 'TypeScript of Convert', source);
  await expect(result(page)).toContainText('"by": "Ada"');
  await page.getByRole('button', { name: 'Save as fixture' }).click();
  await page.getByLabel('Name of the fixture').fill('An order of Ada');
  await expect(page.getByText('As expected')).toBeVisible();

  await paste(page, 'TypeScript of Convert', source.replace('first', 'last'));
  await expect(page.getByRole('button', { name: 'Fails: An order of Ada' })).toBeVisible();
  await expect(result(page)).toContainText('by is "Lovelace", not "Ada"');
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  const problems = page.getByRole('region', { name: 'Problems of the draft' });
  await expect(problems).toContainText('The fixture “An order of Ada” of “Convert” fails. by is "Lovelace", not "Ada"');

  await page.getByRole('button', { name: 'Kept to its fixtures', exact: true }).click();
  await problems.getByRole('button').click();
  await expect(page).toHaveURL(/step=convert&fixture=1/);
  await page.getByRole('button', { name: 'Expect the current result' }).click();
  await expect(page.getByText('As expected')).toBeVisible();
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await page.getByRole('button', { name: 'Kept to its fixtures', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
});

test('what the page counts is what a node counts, in TypeScript and in AssemblyScript', async ({ page, dev }) => {
  test.setTimeout(90_000);
  const input = '{"id":"A-7","lines":[{"sku":"pen","quantity":2,"price":1.5},{"sku":"café","quantity":3,"price":9.25}]}';
  await signIn(page, dev.user);
  const url = await newPipeline(page, dev.tenant.slug, 'Counted');

  await addPart(page, 'Convert with TypeScript');
  await page.getByRole('combobox', { name: 'Language of the step' }).click();
  await page.getByRole('option', { name: 'AssemblyScript' }).click();
  await paste(page, 'AssemblyScript of Convert', assemblyscript);
  await paste(page, 'Sample message', input);
  await expect(says(page)).toContainText('order A-7');
  const compiled = await instructionsOf(page).textContent();
  await page.getByRole('button', { name: 'Counted', exact: true }).click();

  await addPart(page, 'Convert with TypeScript');
  await paste(page, 'TypeScript of Convert', typescript);
  // The first step hands on what it got.
  await paste(page, 'Sample message', input);
  await expect(result(page)).toContainText('"total": 30.75');
  await expect(says(page)).toContainText('order A-7');
  const interpreted = await instructionsOf(page).textContent();

  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await page.getByRole('button', { name: 'Counted', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  const sent = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: input });
  const { messageId } = (await sent.json()) as { messageId: string };
  await page.goto(`/t/${dev.tenant.slug}/messages/${messageId}`);
  const counts = page.locator('main').getByText(/^[\d,]+ instructions, /);
  await expect(counts).toHaveCount(2);
  const counted = (await counts.allTextContents()).map((text) => text.replace(/ instructions.*/, ''));
  expect(counted).toEqual([compiled, interpreted]);
});

test('a message that came is taken as the sample, and a module from elsewhere runs in the page', async ({ page, dev }) => {
  await signIn(page, dev.user);
  const url = await newPipeline(page, dev.tenant.slug, 'Brought along');
  await addPart(page, 'Convert with TypeScript');
  await paste(page, 'TypeScript of Convert', 'export default (msg: Message) => ({ from: msg.headers.get("x-shop"), size: msg.text().length });\n');
  await page.getByRole('button', { name: 'Publish revision 1' }).click();
  await page.getByRole('button', { name: 'Brought along', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Revision 1 on the nodes' })).toContainText('Applied');
  const sent = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-shop': 'north' },
    body: '{"id":"A-9","note":"came by itself"}',
  });
  expect(sent.status).toBe(202);

  await page.goBack();
  await page.getByRole('button', { name: 'Take a message' }).click();
  await page.getByRole('menuitem').first().click();
  await expect(page.getByLabel('Sample message')).toContainText('came by itself');
  await expect(result(page)).toContainText('"from": "north"');

  await page.getByRole('combobox', { name: 'Language of the step' }).click();
  await page.getByRole('option', { name: 'WebAssembly module' }).click();
  await page.getByRole('button', { name: 'Replace the code' }).click();
  const upload = page.getByLabel('WebAssembly module', { exact: true });
  await upload.setInputFiles({ name: 'step.wasm', mimeType: 'application/wasm', buffer: Buffer.from('this is text') });
  await expect(page.getByRole('alert').filter({ hasText: 'It is no WebAssembly module' })).toBeVisible();
  const module = wat(`(module
    (import "vrsky" "input_size" (func $input_size (result i32)))
    (import "vrsky" "output" (func $output (param i32 i32)))
    (import "vrsky" "content_type" (func $content_type (param i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "text/plain") (data (i32.const 16) "short or long")
    (func (export "vrsky_run_v1") (result i32)
      (call $content_type (i32.const 0) (i32.const 10))
      (if (i32.lt_u (call $input_size) (i32.const 20))
        (then (call $output (i32.const 16) (i32.const 5)))
        (else (call $output (i32.const 25) (i32.const 4))))
      (i32.const 1)))`);
  await upload.setInputFiles({ name: 'step.wasm', mimeType: 'application/wasm', buffer: Buffer.from(module) });
  await expect(page.getByText('vrsky.input_size')).toBeVisible();
  await expect(result(page)).toContainText('long');
  expect(await violationsOf(page), 'with a module').toEqual([]);
  // Two calls of the platform and what is around them.
  const counted = Number((await instructionsOf(page).textContent())?.replace(/,/g, ''));
  expect(counted).toBeGreaterThan(300);
  expect(counted).toBeLessThan(400);
});

test('a step that never ends is stopped by its limit, and a page that cannot load the engine says so and can be helped', async ({ page, dev }) => {
  await signIn(page, dev.user);
  // The page's own request: what its workers ask for does not pass by here.
  const files = '**/api/trpc/*pipelines.stepFiles*';
  await page.route(files, (route) => route.abort());
  await newPipeline(page, dev.tenant.slug, 'Never ends');
  await addPart(page, 'Filter with TypeScript');
  await expect(page.getByRole('alert').filter({ hasText: 'cannot be run in this page' })).toBeVisible();
  await page.unroute(files);
  await page.getByRole('button', { name: 'Restart the engine' }).click();
  await expect(result(page)).toContainText('The message goes on as it came');
  await paste(page, 'TypeScript of Filter', 'export default (): boolean => {\n  for (;;);\n};\n');
  await expect(result(page)).toContainText('used more than 20,000,000 instructions and was stopped');
});
