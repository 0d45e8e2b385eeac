'use client';

import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { formatCount } from '../../../../ui/format.ts';
import classes from './Step.module.css';

interface HeadersEditorProps {
  /** Read once: give it a `key` of what the headers belong to. */
  headers: Record<string, string>;
  readOnly: boolean;
  onChange: (headers: Record<string, string>) => void;
}

/** Headers of an input, out of the way until they matter. */
export function HeadersEditor({ headers, readOnly, onChange }: HeadersEditorProps) {
  const [rows, setRows] = useState(() => Object.entries(headers));
  const set = (next: [string, string][]) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([name]) => name.trim() !== '').map(([name, value]) => [name.trim().toLowerCase(), value])));
  };
  return (
    <details>
      <summary>{rows.length === 0 ? 'No headers' : formatCount(rows.length, 'header')}</summary>
      {rows.map(([name, value], i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
        <div key={i} className={classes.header}>
          <TextInput
            size="xs"
            aria-label={`Name of header ${i + 1}`}
            placeholder="x-shop"
            value={name}
            readOnly={readOnly}
            onChange={(event) => set(rows.with(i, [event.currentTarget.value, value]))}
          />
          <TextInput
            size="xs"
            aria-label={`Value of header ${i + 1}`}
            value={value}
            readOnly={readOnly}
            onChange={(event) => set(rows.with(i, [name, event.currentTarget.value]))}
          />
          <ActionIcon size={24} aria-label={`Remove header ${i + 1}`} disabled={readOnly} onClick={() => set(rows.toSpliced(i, 1))}>
            <IconX size={13} aria-hidden />
          </ActionIcon>
        </div>
      ))}
      <Button
        variant="subtle"
        size="compact-xs"
        mt={6}
        leftSection={<IconPlus size={13} aria-hidden />}
        disabled={readOnly}
        onClick={() => setRows([...rows, ['', '']])}
      >
        Add header
      </Button>
    </details>
  );
}
