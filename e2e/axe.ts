import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/**
 * What keeps the page, as it is now, from WCAG 2.2 AA. The list of completions is left out: the editor has the focus and moves through it with
 * the arrow keys (aria-activedescendant), which the rule for regions that scroll does not know of a text field.
 */
export async function violationsOf(page: Page) {
  return (await new AxeBuilder({ page }).withTags(rules).exclude('.cm-tooltip-autocomplete').analyze()).violations;
}
