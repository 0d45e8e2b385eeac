'use client';

import { createContext, useContext } from 'react';

/** What every field of a form knows: what is wrong with it, and how to say that somebody has been there. */
export interface FormContextValue {
  errorAt(pointer: string): string | undefined;
  touch(pointer: string): void;
  idOf(pointer: string): string;
  readOnly: boolean;
}

export const FormContext = createContext<FormContextValue | null>(null);

export function useFormContext(): FormContextValue {
  const context = useContext(FormContext);
  if (!context) throw new Error('bug: a field stands outside of a settings form');
  return context;
}
