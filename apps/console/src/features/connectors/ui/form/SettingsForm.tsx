'use client';

import { Alert } from '@mantine/core';
import { useCallback, useEffect, useId, useMemo, useState } from 'react';
import { checkSettings, type SettingsError } from '../../settings/check-settings.ts';
import { valueAt } from '../../settings/pointer.ts';
import { readSchema, type SchemaObject } from '../../settings/read-schema.ts';
import { type Field, type Json, toForm } from '../../settings/to-form.ts';
import { FieldInput } from './FieldInput.tsx';
import { FormContext } from './form-context.ts';
import { Members } from './GroupInput.tsx';
import classes from './SettingsForm.module.css';

export interface SettingsFormProps {
  /** JSON Schema as text; empty when the connector says nothing. */
  schema: string;
  value: Record<string, unknown>;
  /** What others said is wrong: the server, the connector on its node. */
  errors: SettingsError[];
  onChange(value: Record<string, Json>): void;
  /** The field that is to have the keyboard; a new object each time somebody asks for it. */
  focus?: { pointer: string } | null;
  /** Also what nobody has filled in yet is wrong: somebody asked. */
  showAll?: boolean;
  readOnly?: boolean;
  /** By the pointer of a secret's field, the hosts that its value is sent to; a secret that is made there begins with them. */
  hostsFor?: (pointer: string) => string[];
}

const noHosts = (): string[] => [];

/** A connector's settings, from its schema. What the schema refuses shows at its field at once; what is merely empty, after one was there. */
export function SettingsForm({ schema, value, errors, onChange, focus = null, showAll = false, readOnly = false, hostsFor = noHosts }: SettingsFormProps) {
  const prefix = useId();
  const read = useMemo(() => readSchema(schema === '' ? '{"type":"object"}' : schema), [schema]);
  const form = useMemo((): Field => (read.ok ? toForm(read.schema) : asJson(read.reason)), [read]);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());

  const messages = useMemo(() => {
    const found = new Map<string, string>();
    const own = read.ok ? check(read.schema, value) : [];
    // Fields that nobody has filled in yet are not wrong, they are next.
    for (const { path, message } of own) if (showAll || touched.has(path) || !isEmpty(valueAt(value, path))) found.set(path, message);
    for (const { path, message } of errors)
      if (!found.has(path) && (showAll || touched.has(path) || own.every((error) => error.path !== path))) found.set(path, message);
    return found;
  }, [read, value, errors, touched, showAll]);

  const idOf = useCallback((pointer: string) => `${prefix}${pointer}`, [prefix]);
  const context = useMemo(
    () => ({
      errorAt: (pointer: string) => messages.get(pointer),
      touch: (pointer: string) => setTouched((before) => (before.has(pointer) ? before : new Set([...before, pointer]))),
      idOf,
      readOnly,
      hostsFor,
      Input: FieldInput,
    }),
    [messages, idOf, readOnly, hostsFor],
  );

  useEffect(() => {
    if (focus === null) return;
    setTouched((before) => new Set([...before, focus.pointer]));
    document.getElementById(idOf(focus.pointer))?.focus();
  }, [focus, idOf]);

  const set = (next: Json | undefined) => onChange(typeof next === 'object' && next !== null && !Array.isArray(next) ? next : {});
  const field = { ...form, required: true };
  const shown = { field, pointer: '', value: value as Json, onChange: set };
  const whole = messages.get('');
  return (
    <FormContext value={context}>
      {!read.ok && (
        <Alert color="yellow" variant="light" mb="md">
          The connector’s settings schema cannot be read, so its settings are written as JSON. {read.reason} Tell whoever made the connector.
        </Alert>
      )}
      {field.kind === 'group' && field.help && <p className={classes.help}>{field.help}</p>}
      {field.kind === 'group' ? <Members members={field.members} {...shown} /> : <FieldInput {...shown} />}
      {whole !== undefined && field.kind === 'group' && (
        <Alert color="red" variant="light" mt="md" role="alert">
          {whole}
        </Alert>
      )}
    </FormContext>
  );
}

function asJson(reason: string): Field {
  return { kind: 'json', title: 'Settings', help: null, required: true, fallback: undefined, example: null, reason };
}

/** A schema that refers to itself without end says nothing here; the connector itself judges later. */
function check(schema: SchemaObject, value: unknown): SettingsError[] {
  try {
    return checkSettings(schema, value);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || value === null;
}
