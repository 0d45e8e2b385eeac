'use client';

import { PasswordInput, Select, Textarea } from '@mantine/core';
import { edgeWarning, overlaps } from './secret-words.ts';

interface FieldProps<T> {
  value: T;
  error: string | null;
  onChange(value: T): void;
}

/** Typed or pasted, hidden, and never kept by the browser. */
export function ValueField({ value, error, onChange, label, description }: FieldProps<string> & { label: string; description: string }) {
  return (
    <PasswordInput
      label={label}
      description={description}
      withAsterisk
      autoComplete="new-password"
      spellCheck={false}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={error ?? edgeWarning(value)}
    />
  );
}

export function HostsField({ value, error, onChange }: FieldProps<string>) {
  return (
    <Textarea
      label="Hosts it may be sent to"
      description="One a line: api.example.com, *.example.com, or with a port. The connector refuses to send it anywhere else. Leave it empty for a secret that is only compared with, such as a webhook’s signing key."
      autosize
      minRows={2}
      maxRows={8}
      spellCheck={false}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={error}
    />
  );
}

export function OverlapField({ value, error, onChange }: FieldProps<number>) {
  const known = overlaps.some(({ seconds }) => seconds === value);
  const data = [...overlaps, ...(known ? [] : [{ seconds: value, label: `${value} seconds` }])].map(({ seconds, label }) => ({
    value: String(seconds),
    label,
  }));
  return (
    <Select
      label="A replaced value stays valid for"
      description="Both are accepted meanwhile, so that the other side can be changed without a gap."
      data={data}
      allowDeselect={false}
      value={String(value)}
      onChange={(chosen) => chosen !== null && onChange(Number(chosen))}
      error={error}
    />
  );
}
