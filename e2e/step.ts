import type { Locator, Page } from '@playwright/test';

/** Replaces what is in a code editor, as pasting does. */
export async function paste(page: Page, label: string, text: string): Promise<void> {
  await page.getByLabel(label).click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(text);
}

/** The count that the step editor shows. */
export function instructionsOf(page: Page): Locator {
  return page.getByRole('region', { name: 'Cost' }).getByRole('definition').first();
}

/** A new pipeline, open, that sends to the test receiver. Gives back the URL of its source. */
export async function newPipeline(page: Page, slug: string, name: string): Promise<string> {
  await page.goto(`/t/${slug}/pipelines`);
  await page.getByRole('button', { name: 'New pipeline' }).first().click();
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Create pipeline' }).click();
  const url = await page.getByRole('textbox', { name: 'URL' }).inputValue();
  await addPart(page, 'HTTP request to the test receiver');
  return url;
}

export async function addPart(page: Page, item: string): Promise<void> {
  await page.getByRole('button', { name: 'Add part' }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
}
