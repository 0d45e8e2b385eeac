'use client';

import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { pointerTo } from '../../settings/pointer.ts';
import { startEntry } from '../../settings/start-value.ts';
import type { Field, Json } from '../../settings/to-form.ts';
import { FieldSet } from './FieldSet.tsx';
import { type FieldInputProps, useFormContext } from './form-context.ts';
import classes from './SettingsForm.module.css';

export function MapInput({ field, pointer, value, onChange }: FieldInputProps<Field & { kind: 'map' }>) {
  const { readOnly, Input } = useFormContext();
  const entries = Object.entries(typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {});
  const set = (next: [string, Json][]) => onChange(next.length === 0 && !field.required ? undefined : Object.fromEntries(next));
  return (
    <FieldSet field={field} pointer={pointer}>
      <ol className={classes.entries}>
        {entries.map(([name, item], index) => (
          <li key={name}>
            <NameInput
              name={name}
              label={`Name ${index + 1} of ${field.title}`}
              taken={entries.map(([other]) => other)}
              onRename={(next) => set(entries.with(index, [next, item]))}
            />
            <Input
              field={{ ...field.item, title: field.item.title, required: false }}
              pointer={pointerTo(pointer, name)}
              value={item}
              onChange={(next) => set(entries.with(index, [name, next ?? startEntry(field.item)]))}
            />
            <ActionIcon size={36} disabled={readOnly} aria-label={`Remove ${name} of ${field.title}`} onClick={() => set(entries.toSpliced(index, 1))}>
              <IconTrash size={15} aria-hidden />
            </ActionIcon>
          </li>
        ))}
      </ol>
      <Button
        variant="subtle"
        size="compact-xs"
        leftSection={<IconPlus size={14} aria-hidden />}
        disabled={readOnly}
        aria-label={`Add entry to ${field.title}`}
        onClick={() => set([...entries, [freeName(entries.map(([name]) => name)), startEntry(field.item)]])}
      >
        Add entry
      </Button>
    </FieldSet>
  );
}

/** Taken over when one leaves it, since every name on the way would be a key of its own. */
function NameInput({ name, label, taken, onRename }: { name: string; label: string; taken: string[]; onRename: (name: string) => void }) {
  const { readOnly } = useFormContext();
  const [text, setText] = useState(name);
  const isTaken = text !== name && taken.includes(text);
  const leave = () => {
    if (text === name) return;
    if (text === '' || isTaken) setText(name);
    else onRename(text);
  };
  return (
    <TextInput
      label="Name"
      aria-label={label}
      disabled={readOnly}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={leave}
      error={isTaken ? 'Another entry has this name' : undefined}
    />
  );
}

function freeName(taken: string[]): string {
  let n = taken.length + 1;
  while (taken.includes(`name-${n}`)) n++;
  return `name-${n}`;
}
