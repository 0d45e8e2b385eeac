'use client';

import { Textarea } from '@mantine/core';
import { useState } from 'react';
import type { Field, Json } from '../../settings/to-form.ts';
import { type FieldInputProps, useFormContext } from './form-context.ts';

/** A value as JSON text: for what the form has no control for. Half-written text stays here until it is JSON. */
export function JsonInput({ field, pointer, value, onChange }: FieldInputProps<Field & { kind: 'json' }>) {
  const { errorAt, touch, idOf, readOnly } = useFormContext();
  const [written, setWritten] = useState<{ text: string; value: Json | undefined }>({ text: toText(value), value });
  // Undo, or another person's save: what is there now is not what was written here.
  const text = JSON.stringify(written.value) === JSON.stringify(value) ? written.text : toText(value);
  const problem = problemOf(text);
  const write = (next: string) => {
    const parsed = parse(next);
    setWritten({ text: next, value: parsed.ok ? parsed.value : value });
    if (parsed.ok) onChange(parsed.value);
  };
  return (
    <Textarea
      id={idOf(pointer)}
      label={field.title}
      description={[field.help, `Written as JSON. ${field.reason}`].filter(Boolean).join(' ')}
      withAsterisk={field.required}
      error={problem ?? errorAt(pointer)}
      disabled={readOnly}
      autosize
      minRows={3}
      maxRows={20}
      spellCheck={false}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-sm)' } }}
      value={text}
      onChange={(event) => write(event.currentTarget.value)}
      onBlur={() => touch(pointer)}
    />
  );
}

function toText(value: Json | undefined): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2);
}

function problemOf(text: string): string | null {
  return parse(text).ok ? null : 'This is not JSON yet; it is taken over when it is';
}

function parse(text: string): { ok: true; value: Json | undefined } | { ok: false } {
  if (text.trim() === '') return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false };
  }
}
