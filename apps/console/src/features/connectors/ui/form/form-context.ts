'use client';

import { type ComponentType, createContext, useContext } from 'react';
import type { Field, Json } from '../../settings/to-form.ts';

export interface FieldInputProps<F extends Field = Field> {
  field: F;
  /** Where its value stands in the settings. */
  pointer: string;
  value: Json | undefined;
  /** undefined: it is not set. */
  onChange(value: Json | undefined): void;
}

/** What every field of a form knows: what is wrong with it, and how to say that somebody has been there. */
export interface FormContextValue {
  errorAt(pointer: string): string | undefined;
  touch(pointer: string): void;
  idOf(pointer: string): string;
  readOnly: boolean;
  /** Hosts that a new secret of this field is for. */
  hostsFor(pointer: string): string[];
  /** Draws any field, for those that hold others. */
  Input: ComponentType<FieldInputProps>;
}

export const FormContext = createContext<FormContextValue | null>(null);

export function useFormContext(): FormContextValue {
  const context = useContext(FormContext);
  if (!context) throw new Error('bug: a field stands outside of a settings form');
  return context;
}
