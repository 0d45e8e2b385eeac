import { wordsOf } from '../settings/words-of.ts';

const SHOWN_MAX = 3;
const VALUE_CHARS_MAX = 120;

/** The first settings that are a text or a number, for a line that says which connection this is. Secrets are references, and no such value. */
export function plainSettings(settings: Record<string, unknown>): { name: string; value: string }[] {
  return Object.entries(settings)
    .filter(([, value]) => (typeof value === 'string' && value.trim() !== '') || typeof value === 'number')
    .slice(0, SHOWN_MAX)
    .map(([key, value]) => {
      const text = String(value);
      return { name: wordsOf(key), value: text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text };
    });
}
