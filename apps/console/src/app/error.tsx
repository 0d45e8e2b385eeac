'use client';

import { Button } from '@mantine/core';
import { IdText } from '../ui/IdText.tsx';
import { Problem } from './Problem.tsx';

export default function ErrorPage({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <Problem
      title="This page could not be shown"
      actions={
        <>
          <Button onClick={reset}>Try again</Button>
          {error.digest && (
            <span>
              Error id <IdText value={error.digest} what="error id" full />
            </span>
          )}
        </>
      }
    >
      The console could not reach one of its parts, or this is a fault of ours. Messages keep flowing meanwhile. Try again in a few seconds; if it stays, send us the error id.
    </Problem>
  );
}
