'use client';

import { Button } from '@mantine/core';
import { IconAlertCircle } from '@tabler/icons-react';
import classes from './ErrorState.module.css';
import { IdText } from './IdText.tsx';

/** An error as a person may read it: what happened and what to do, with the id that finds it in the logs. */
export interface ErrorView {
  title: string;
  message: string;
  requestId: string | null;
}

export function ErrorState({ error, onRetry }: { error: ErrorView; onRetry?: () => void }) {
  return (
    <div className={classes.error} role="alert">
      <IconAlertCircle size={18} aria-hidden />
      <div className={classes.words}>
        <p className={classes.title}>{error.title}</p>
        <p className={classes.text}>{error.message}</p>
        {(onRetry || error.requestId) && (
          <div className={classes.foot}>
            {onRetry && (
              <Button variant="default" onClick={onRetry}>
                Try again
              </Button>
            )}
            {error.requestId && (
              <span>
                Request id <IdText value={error.requestId} what="request id" full />
              </span>
            )}
          </div>
        )}
      </div>
    </div>
  );
}
