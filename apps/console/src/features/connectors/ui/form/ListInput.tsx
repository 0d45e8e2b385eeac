'use client';

import { ActionIcon, Button } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { pointerTo } from '../../settings/pointer.ts';
import { startEntry } from '../../settings/start-value.ts';
import type { Field, Json } from '../../settings/to-form.ts';
import { FieldSet } from './FieldSet.tsx';
import { type FieldInputProps, useFormContext } from './form-context.ts';
import classes from './SettingsForm.module.css';

export function ListInput({ field, pointer, value, onChange }: FieldInputProps<Field & { kind: 'list' }>) {
  const { readOnly, Input } = useFormContext();
  const items = Array.isArray(value) ? value : [];
  const set = (next: Json[]) => onChange(next.length === 0 && !field.required ? undefined : next);
  const one = field.item.title === 'Entry' ? 'entry' : field.item.title.toLowerCase();
  return (
    <FieldSet field={field} pointer={pointer}>
      <ol className={classes.entries}>
        {items.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an entry has no identity but its place
          <li key={index}>
            <Input
              field={{ ...field.item, title: `${field.item.title} ${index + 1}`, required: false }}
              pointer={pointerTo(pointer, index)}
              value={item}
              onChange={(next) => set(items.with(index, next ?? startEntry(field.item)))}
            />
            <ActionIcon
              size={36}
              disabled={readOnly}
              aria-label={`Remove ${one} ${index + 1} of ${field.title}`}
              onClick={() => set(items.toSpliced(index, 1))}
            >
              <IconTrash size={15} aria-hidden />
            </ActionIcon>
          </li>
        ))}
      </ol>
      <Button
        variant="subtle"
        size="compact-xs"
        leftSection={<IconPlus size={14} aria-hidden />}
        disabled={readOnly || (field.max !== null && items.length >= field.max)}
        aria-label={`Add ${one} to ${field.title}`}
        onClick={() => set([...items, startEntry(field.item)])}
      >
        Add {one}
      </Button>
    </FieldSet>
  );
}
