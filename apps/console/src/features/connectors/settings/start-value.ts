import type { Field, Json, Variant } from './to-form.ts';

/** What a new part's settings begin with: the connector's defaults, written out so that the revision says them; undefined for nothing. */
export function startValue(field: Field): Json | undefined {
  if (field.fallback !== undefined) return field.fallback;
  if (field.kind === 'fixed') return field.value;
  if (field.kind === 'group') {
    const entries = field.members.flatMap((member): [string, Json][] => {
      const value = startValue(member.field);
      const wanted = member.field.required || member.field.fallback !== undefined;
      return value === undefined || !wanted ? [] : [[member.key, value]];
    });
    return entries.length > 0 || field.required ? Object.fromEntries(entries) : undefined;
  }
  if (field.kind === 'variants' && field.required) {
    const [first] = field.options;
    return first && startValue(first.field);
  }
  return undefined;
}

/** What a list gets when an entry is added to it. */
export function startEntry(field: Field): Json {
  const value = startValue({ ...field, required: true });
  if (value !== undefined) return value;
  if (field.kind === 'text') return '';
  if (field.kind === 'flag') return false;
  if (field.kind === 'list' || field.kind === 'choices') return [];
  if (field.kind === 'choice') return field.options[0]?.value ?? '';
  if (field.kind === 'map') return {};
  return null;
}

/** Which of several forms a value has: the first that agrees in everything it fixes, and in kind. -1 when none does. */
export function variantOf(options: Variant[], value: unknown): number {
  return options.findIndex(({ field }) => agrees(field, value));
}

function agrees(field: Field, value: unknown): boolean {
  switch (field.kind) {
    case 'fixed':
      return JSON.stringify(field.value) === JSON.stringify(value);
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'flag':
      return typeof value === 'boolean';
    case 'list':
    case 'choices':
      return Array.isArray(value);
    case 'choice':
      return field.options.some((option) => JSON.stringify(option.value) === JSON.stringify(value));
    case 'group': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      const has = value as Record<string, unknown>;
      const fixed = field.members.filter((member) => member.field.kind === 'fixed');
      if (fixed.length > 0) return fixed.every((member) => agrees(member.field, has[member.key]));
      const known = new Set(field.members.map((member) => member.key));
      return Object.keys(has).every((key) => known.has(key)) && field.members.every((member) => !member.field.required || has[member.key] !== undefined);
    }
    case 'map':
    case 'secret':
      return typeof value === 'object' && value !== null;
    default:
      return true;
  }
}
