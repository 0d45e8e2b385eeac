import type { Metadata } from 'next';
import { SignInForm } from '../../../features/tenancy/ui/SignInForm.tsx';
import { signInProblem } from '../../../features/tenancy/ui/sign-in-problem.ts';
import { Logo } from '../../../ui/Logo.tsx';
import classes from './sign-in.module.css';

export const metadata: Metadata = { title: 'Sign in' };

type Search = Promise<{ callbackUrl?: string | string[]; error?: string | string[] }>;

export default async function SignInPage({ searchParams }: { searchParams: Search }) {
  const { callbackUrl, error } = await searchParams;
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Logo size={36} />
        <h1>Sign in to VRSky</h1>
        <p>Pipelines that receive, transform and deliver your messages.</p>
        <SignInForm callbackUrl={first(callbackUrl)} initialProblem={error === undefined ? null : signInProblem(first(error))} />
      </div>
    </main>
  );
}

function first(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
