'use client';

import { Button } from '@mantine/core';
import { Problem } from './Problem.tsx';

export interface PageErrorProps {
  error: Error & { digest?: string };
  reset: () => void;
}

/** A fault while a page was made; `error.digest` finds it in the logs. */
export function PageError({ error, reset }: PageErrorProps) {
  return (
    <Problem
      title="This page could not be shown"
      actions={
        <>
          <Button onClick={reset}>Try again</Button>
          {error.digest && (
            <span>
              Error id <code>{error.digest}</code>
            </span>
          )}
        </>
      }
    >
      The console could not reach one of its parts, or this is a fault of ours. Messages keep flowing meanwhile. Try again in a few seconds; if it stays, send
      us the error id.
    </Problem>
  );
}
