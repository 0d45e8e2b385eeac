'use client';

import { Select } from '@mantine/core';
import { useState } from 'react';
import { startValue, variantOf } from '../../settings/start-value.ts';
import type { Field, Json } from '../../settings/to-form.ts';
import { FieldSet } from './FieldSet.tsx';
import { type FieldInputProps, useFormContext } from './form-context.ts';
import { Members } from './GroupInput.tsx';
import classes from './SettingsForm.module.css';

/** A value of one of several forms: which one, then its fields. */
export function VariantsInput({ field, pointer, value, onChange }: FieldInputProps<Field & { kind: 'variants' }>) {
  const { readOnly, Input } = useFormContext();
  const [chosen, setChosen] = useState<number | null>(null);
  const shown = value ?? field.fallback;
  const found = shown === undefined ? -1 : variantOf(field.options, shown);
  // What is half filled in may fit none; then what was chosen here counts.
  const index = found >= 0 ? found : chosen;
  const option = index === null ? undefined : field.options[index];
  const choose = (text: string | null) => {
    const next = text === null ? null : Number(text);
    setChosen(next);
    const form = next === null ? undefined : field.options[next]?.field;
    onChange(form && begin(form, value));
  };
  return (
    <FieldSet field={field} pointer={pointer}>
      <div className={classes.fields}>
        <Select
          aria-label={`Form of ${field.title}`}
          maw={420}
          data={field.options.map(({ title }, i) => ({ value: String(i), label: title }))}
          value={index === null ? null : String(index)}
          onChange={choose}
          placeholder="Choose one"
          allowDeselect={false}
          clearable={!field.required}
          disabled={readOnly}
        />
        {option?.field.help && <p className={classes.help}>{option.field.help}</p>}
        {option &&
          (option.field.kind === 'group' ? (
            <Members members={option.field.members} field={option.field} pointer={pointer} value={value} onChange={onChange} />
          ) : (
            <Input field={{ ...option.field, help: null }} pointer={pointer} value={value} onChange={onChange} />
          ))}
      </div>
    </FieldSet>
  );
}

/** The start of a form, with what it shares with the one before. */
function begin(form: Field, before: Json | undefined): Json | undefined {
  const start = startValue({ ...form, required: true });
  if (form.kind !== 'group' || typeof before !== 'object' || before === null || Array.isArray(before)) return start;
  const shared = form.members.flatMap(({ key, field }): [string, Json][] => {
    const value = before[key];
    return value === undefined || field.kind === 'fixed' ? [] : [[key, value]];
  });
  return { ...(typeof start === 'object' && start !== null && !Array.isArray(start) ? start : {}), ...Object.fromEntries(shared) };
}
