'use client';

import { Alert, Button, PasswordInput, TextInput } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import { type FormEvent, startTransition, useActionState, useEffect, useRef } from 'react';
import { toLocalPath } from '../../../lib/paths.ts';
import { signInProblem } from './sign-in-problem.ts';

interface SignInState {
  email: string;
  problem: string | null;
  fields: { email?: string; password?: string };
  /** The next page is loading: the button stays busy until it is there. */
  leaving: boolean;
}

const start: SignInState = { email: '', problem: null, fields: {}, leaving: false };

/** Email and password. A form action: sent before the page's code has arrived, it waits for it instead of getting lost. */
export function SignInForm({ callbackUrl, initialProblem }: { callbackUrl: string | null; initialProblem: string | null }) {
  const [state, action, pending] = useActionState(signIn, { ...start, problem: initialProblem });
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    const field = state.fields.email ? 'email' : state.fields.password ? 'password' : null;
    if (field) form.current?.querySelector<HTMLInputElement>(`[name=${field}]`)?.focus();
    else if (state.problem) form.current?.querySelector<HTMLInputElement>('[name=password]')?.focus();
  }, [state]);

  async function signIn(_before: SignInState, data: FormData): Promise<SignInState> {
    const email = String(data.get('email') ?? '').trim();
    const password = String(data.get('password') ?? '');
    const fields = {
      ...(email === ''
        ? { email: 'Enter the email address of your account' }
        : email.includes('@')
          ? {}
          : { email: 'An email address has an @, such as ada@example.com' }),
      ...(password === '' ? { password: 'Enter your password' } : {}),
    };
    if (Object.keys(fields).length > 0) return { ...start, email, fields };
    const problem = await trySignIn(email, password);
    if (problem !== null) return { ...start, email, problem };
    window.location.assign(toLocalPath(callbackUrl));
    return { ...start, email, leaving: true };
  }

  // Not the action by itself: React would empty the fields when it ends, also those that were typed into meanwhile.
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    startTransition(() => action(data));
  };
  const fields = pending ? start.fields : state.fields;

  return (
    <form ref={form} action={action} onSubmit={submit} noValidate style={{ display: 'grid', gap: 16 }}>
      {state.problem && !pending && (
        <Alert color="bad" variant="light" icon={<IconAlertCircle size={18} aria-hidden />} role="alert">
          {state.problem}
        </Alert>
      )}
      <TextInput
        name="email"
        type="email"
        label="Email"
        size="md"
        autoComplete="username"
        defaultValue={state.email}
        error={fields.email}
        autoCapitalize="none"
        spellCheck={false}
      />
      <PasswordInput
        name="password"
        label="Password"
        size="md"
        autoComplete="current-password"
        error={fields.password}
        visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0, c: 'dimmed' }}
      />
      <Button type="submit" size="md" fullWidth mt={4} loading={pending || state.leaving}>
        Sign in
      </Button>
    </form>
  );
}

/** Null when it worked, else the reason in words. */
async function trySignIn(email: string, password: string): Promise<string | null> {
  const auth = await import('next-auth/react');
  let result: Awaited<ReturnType<typeof auth.signIn<'credentials'>>>;
  try {
    result = await auth.signIn('credentials', { email, password, redirect: false });
  } catch {
    return 'The console does not answer. Check your connection and try again in a few seconds.';
  }
  if (result?.ok && !result.error) return null;
  return signInProblem(result?.error ?? null);
}
