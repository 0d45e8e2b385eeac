import type { Field } from './to-form.ts';

/** One line of the table that explains a connector's settings. */
export interface SettingRow {
  /** How it stands in JSON: `rotation.bytes`, `rows[].name`. */
  path: string;
  depth: number;
  title: string;
  kind: string;
  required: boolean;
  fallback: string | null;
  help: string | null;
}

const ROWS_MAX = 200;

/** A form as a table to read, depth first. */
export function settingsRows(form: Field): SettingRow[] {
  const rows: SettingRow[] = [];
  below(form, '', 0, rows);
  return rows.slice(0, ROWS_MAX);
}

function add(field: Field, path: string, depth: number, rows: SettingRow[]): void {
  const { title, help, fallback } = field;
  // What has one value only is nothing that anybody has to fill in.
  const required = field.required && field.kind !== 'fixed';
  rows.push({ path, depth, title, kind: kindWords(field), required, fallback: fallback === undefined ? null : short(fallback), help });
  below(field, path, depth + 1, rows);
}

function below(field: Field, path: string, depth: number, rows: SettingRow[]): void {
  if (field.kind === 'group') for (const { key, field: member } of field.members) add(member, path === '' ? key : `${path}.${key}`, depth, rows);
  else if (field.kind === 'list') below(field.item, `${path}[]`, depth, rows);
  else if (field.kind === 'map') below(field.item, `${path}.*`, depth, rows);
  else if (field.kind === 'variants')
    for (const { title, field: variant } of field.options) {
      rows.push({ path: '', depth, title, kind: '', required: false, fallback: null, help: variant.help });
      below(variant, path, depth + 1, rows);
    }
}

function kindWords(field: Field): string {
  switch (field.kind) {
    case 'text':
      return field.input === 'url' ? 'URL' : field.input === 'email' ? 'E-mail address' : 'Text';
    case 'number': {
      const words = field.whole ? 'Whole number' : 'Number';
      const unit = field.unit === null ? '' : ` in ${field.unit}`;
      const { min, max } = field;
      const range =
        min !== null && max !== null
          ? `, ${number(min)} to ${number(max)}`
          : min !== null
            ? `, at least ${number(min)}`
            : max !== null
              ? `, at most ${number(max)}`
              : '';
      return `${words}${unit}${range}`;
    }
    case 'flag':
      return 'Yes or no';
    case 'choice':
      return `One of ${field.options.map((option) => option.title).join(', ')}`;
    case 'choices':
      return `Some of ${field.options.map((option) => option.title).join(', ')}`;
    case 'secret':
      return 'Name of a secret';
    case 'fixed':
      return `Always ${short(field.value)}`;
    case 'group':
      return 'Group';
    case 'list':
      return `List of: ${kindWords(field.item).toLowerCase()}`;
    case 'map':
      return `Names, each with: ${kindWords(field.item).toLowerCase()}`;
    case 'variants':
      return `One of ${field.options.length} forms`;
    case 'json':
      return 'JSON';
  }
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 10 });
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
