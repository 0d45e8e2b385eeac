'use client';

import type { ReactNode } from 'react';
import type { Field } from '../../settings/to-form.ts';
import { useFormContext } from './form-context.ts';
import classes from './SettingsForm.module.css';

/** Several controls under one name, with what is wrong with all of them together. */
export function FieldSet({ field, pointer, children }: { field: Field; pointer: string; children: ReactNode }) {
  const { errorAt, idOf } = useFormContext();
  const id = idOf(pointer);
  const error = errorAt(pointer);
  const described = [field.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <fieldset id={id} className={classes.set} aria-describedby={described || undefined} tabIndex={-1}>
      <legend>
        {field.title}
        {field.required && (
          <span className={classes.asterisk} aria-hidden>
            {' *'}
          </span>
        )}
      </legend>
      {field.help && (
        <p id={`${id}-help`} className={classes.help}>
          {field.help}
        </p>
      )}
      {children}
      {error && (
        <p id={`${id}-error`} className={classes.error}>
          {error}
        </p>
      )}
    </fieldset>
  );
}
