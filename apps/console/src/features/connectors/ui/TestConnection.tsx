'use client';

import { Button } from '@mantine/core';
import { IconPlugConnected } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatCount, formatMicros } from '../../../ui/format.ts';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useNeeds } from '../../tenancy/api.tsx';
import type { SettingsError } from '../settings/check-settings.ts';
import { fieldWords } from '../settings/words-of.ts';
import type { ConnectorRole, ConnectorTest } from '../types.ts';
import classes from './TestConnection.module.css';

export interface TestConnectionProps {
  connector: string;
  release?: string | undefined;
  connectorRole: ConnectorRole;
  settings: Record<string, unknown>;
  /** What the connector found wrong, for the fields; nothing once the settings are others. */
  onErrors(errors: SettingsError[]): void;
}

/** Has a node's connector try the settings out as they are on the page, and says what came of it. */
export function TestConnection({ connector, release, connectorRole: role, settings, onErrors }: TestConnectionProps) {
  const needs = useNeeds('connector.test');
  const test = useMutation(
    useTRPC().connectors.test.mutationOptions({
      onSuccess: (result) => onErrors(result.outcome === 'no_answer' ? [] : result.errors),
    }),
  );
  const asked = JSON.stringify({ connector, release, role, settings });
  const [tested, setTested] = useState<string | null>(null);
  const isStale = tested !== null && tested !== asked && !test.isPending;
  useEffect(() => {
    if (isStale) onErrors([]);
  }, [isStale, onErrors]);
  const run = () => {
    setTested(asked);
    test.mutate({ name: connector, ...(release !== undefined && { release }), role, settings: settings as never });
  };
  return (
    <section className={classes.test} aria-label="Test connection">
      <NeedsRole role={needs}>
        {(disabled) => (
          <Button variant="default" leftSection={<IconPlugConnected size={15} aria-hidden />} onClick={run} loading={test.isPending} disabled={disabled}>
            Test connection
          </Button>
        )}
      </NeedsRole>
      <div aria-live="polite" style={{ width: '100%' }}>
        {test.isPending ? (
          <p className={classes.dim}>A node tries it out; nothing is delivered. It takes 20 seconds at most.</p>
        ) : test.error ? (
          <ErrorState error={toErrorView(test.error)} />
        ) : (
          test.data && <Result result={test.data} isStale={isStale} />
        )}
      </div>
    </section>
  );
}

function Result({ result, isStale }: { result: ConnectorTest; isStale: boolean }) {
  return (
    <div className={classes.result}>
      {isStale && <p className={classes.dim}>For the settings before your last change:</p>}
      <Verdict result={result} />
      {result.outcome === 'answered' && result.checks.length > 0 && (
        <ul className={classes.checks}>
          {result.checks.map((check, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: checks are told in order and may have the same name
            <li key={index}>
              <StateBadge state={check.passed ? 'ok' : 'failed'} word={check.passed ? 'Passed' : 'Failed'} />
              <span>{check.name}</span>
              <span className={classes.dim}>{formatMicros(check.durationUs)}</span>
              {check.detail && <span className={classes.detail}>{check.detail}</span>}
            </li>
          ))}
        </ul>
      )}
      {result.outcome === 'answered' && (
        <p className={classes.dim}>
          Tried with version {result.version} on {result.nodeName}.
        </p>
      )}
    </div>
  );
}

function Verdict({ result }: { result: ConnectorTest }) {
  if (result.outcome === 'no_answer')
    return (
      <>
        <p>
          <b>Not tried.</b> {result.reason}
        </p>
        <p className={classes.dim}>
          <span className="mono">{result.code}</span>
        </p>
      </>
    );
  const { errors } = result;
  if (errors.length > 0) {
    const named = errors.slice(0, 3).map(({ path, message }) => (path === '' ? message : `${fieldWords(path)}: ${message}`));
    return (
      <p>
        <b>{result.outcome === 'not_tried' ? 'Not tried yet.' : 'The connector refuses the settings.'}</b> Mend {named.join('; ')}
        {errors.length > named.length && `; and ${formatCount(errors.length - named.length, 'more field')}`}
      </p>
    );
  }
  const checks = result.outcome === 'answered' ? result.checks : [];
  const failed = checks.filter((check) => !check.passed).length;
  if (failed > 0)
    return (
      <p>
        <b>
          {failed} of {formatCount(checks.length, 'check')} failed.
        </b>
      </p>
    );
  if (checks.length === 0)
    return (
      <p>
        <b>The settings are right.</b> The connector has nothing to try out before a message is there.
      </p>
    );
  return (
    <p>
      <b>It works.</b> All checks passed.
    </p>
  );
}
