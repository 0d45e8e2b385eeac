import { wordsOf } from '../settings/words-of.ts';

const SHOWN_MAX = 3;
const VALUE_CHARS_MAX = 120;

/** The first settings that are a text, for a line that says which connection this is. Secrets are references, and no such value. */
export function plainSettings(settings: Record<string, unknown>): { name: string; value: string }[] {
  const texts = Object.entries(settings).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].trim() !== '');
  return texts
    .slice(0, SHOWN_MAX)
    .map(([key, value]) => ({ name: wordsOf(key), value: value.length > VALUE_CHARS_MAX ? `${value.slice(0, VALUE_CHARS_MAX)}…` : value }));
}
