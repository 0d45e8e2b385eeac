'use client';

import { Checkbox, PasswordInput, Select, Textarea } from '@mantine/core';
import { useState } from 'react';
import classes from './SecretFields.module.css';
import { edgeWarning, overlaps } from './secret-words.ts';

interface FieldProps<T> {
  value: T;
  error: string | null;
  onChange(value: T): void;
}

interface ValueFieldProps extends FieldProps<string> {
  label: string;
  description: string;
  required?: boolean;
}

/** Typed or pasted, hidden, and never kept by the browser. One line, or several for keys and certificates. */
export function ValueField({ value, error, onChange, required = false, ...words }: ValueFieldProps) {
  const [isLong, setLong] = useState(false);
  const control = {
    ...words,
    withAsterisk: required,
    spellCheck: false,
    value,
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
    error: error ?? edgeWarning(value),
  };
  return (
    <div>
      {isLong ? (
        <Textarea {...control} autoComplete="off" autosize minRows={4} maxRows={12} classNames={{ input: classes.hidden ?? '' }} />
      ) : (
        <PasswordInput {...control} autoComplete="new-password" />
      )}
      <Checkbox
        mt={6}
        size="xs"
        label="It has several lines, as keys and certificates have"
        checked={isLong}
        onChange={(event) => {
          setLong(event.currentTarget.checked);
          // The other field has lost the line ends.
          if (event.currentTarget.checked) onChange('');
        }}
      />
    </div>
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
