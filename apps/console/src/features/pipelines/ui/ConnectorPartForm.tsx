'use client';

import { Alert, Anchor, Select, Skeleton, Stack, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { DestinationSpec, SourceSpec } from '@vrsky/contracts/pipeline-spec';
import Link from 'next/link';
import { type ReactNode, useCallback, useMemo, useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { appCodeOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { shortenMiddle } from '../../../ui/format.ts';
import { type SettingsError, SettingsForm, TestConnection } from '../../connectors/api.tsx';
import type { ConnectorDetail, ConnectorRole } from '../../connectors/types.ts';
import { useSlug } from '../../tenancy/api.tsx';
import type { DraftProblem } from '../types.ts';
import classes from './PipelineEditor.module.css';

export interface PartChange {
  name?: string;
  release?: string | undefined;
  settings?: Record<string, never>;
}

interface ConnectorPartFormProps {
  part: SourceSpec | DestinationSpec;
  connectorRole: ConnectorRole;
  /** JSON Pointer of the part in the draft. */
  at: string;
  problems: DraftProblem[];
  /** The field that is to have the keyboard, as a JSON Pointer into the draft; a new object each time. */
  focus: { path: string } | null;
  onChange: (change: PartChange) => void;
  /** Above its fields, such as the choice of another connector. */
  before?: ReactNode;
  /** Below its settings, such as how often it tries. */
  after?: ReactNode;
}

/** A part of any connector but HTTP: its settings come from the connector's own schema. */
export function ConnectorPartForm({ part, connectorRole: role, at, problems, focus, onChange, before, after }: ConnectorPartFormProps) {
  const slug = useSlug();
  const { connector: name, release } = part;
  const query = useQuery(useTRPC().connectors.get.queryOptions({ name, ...(release !== undefined && { release }) }));
  const newest = useQuery(useTRPC().connectors.get.queryOptions({ name }, { enabled: query.isError && release !== undefined }));
  const connector = query.data ?? newest.data;
  const [tested, setTested] = useState<SettingsError[]>([]);
  const takeErrors = useCallback((errors: SettingsError[]) => setTested((was) => (was.length === 0 && errors.length === 0 ? was : errors)), []);
  const errors = useMemo(() => [...settingsErrors(problems, at), ...tested], [problems, at, tested]);
  const settingFocus = useMemo(() => {
    const settingsAt = `${at}/settings`;
    return focus?.path.startsWith(settingsAt) ? { pointer: focus.path.slice(settingsAt.length) } : null;
  }, [focus, at]);
  const missing = query.isError && appCodeOf(query.error) === 'CONNECTOR.NOT_FOUND';

  return (
    <section aria-label={role === 'source' ? 'Source' : `Destination ${part.name}`}>
      <h2 className={classes.formTitle}>
        {connector?.title ?? name} {role === 'source' ? 'in' : 'out'}
      </h2>
      <p className={classes.formLead}>
        {connector ? (
          <>
            {connector.description}{' '}
            <Anchor component={Link} href={paths.connector(slug, name)} underline="always">
              About this connector
            </Anchor>
          </>
        ) : missing ? (
          'No node of your pool offers this connector.'
        ) : (
          <Skeleton component="span" display="inline-block" height={12} width={320} />
        )}
      </p>
      <Stack gap="md" maw={640}>
        <ConnectorProblems problems={problems} at={at} />
        {before}
        <TextInput
          label="Name"
          value={part.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={80}
          error={part.name.trim() === '' ? 'Give it a name' : undefined}
        />
        {connector && <ReleaseSelect connector={connector} release={release} error={messageAt(problems, `${at}/release`)} onChange={onChange} />}
        {query.isError && !missing ? (
          <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
        ) : query.isPending ? (
          <Skeleton height={160} />
        ) : (
          <SettingsForm
            key={name}
            schema={connector?.settingsSchemas[role] ?? ''}
            value={part.settings}
            errors={errors}
            showAll={tested.length > 0}
            focus={settingFocus}
            onChange={(settings) => onChange({ settings: settings as Record<string, never> })}
          />
        )}
        {after}
        {connector && <TestConnection connector={name} release={release} connectorRole={role} settings={part.settings} onErrors={takeErrors} />}
      </Stack>
    </section>
  );
}

/** What is wrong with the choice of the connector itself. */
function ConnectorProblems({ problems, at }: { problems: DraftProblem[]; at: string }) {
  const own = problems.filter((problem) => problem.path === `${at}/connector`);
  return own.map((problem) => (
    <Alert key={problem.message} color={problem.warning ? 'yellow' : 'red'} variant="light">
      {problem.message}
    </Alert>
  ));
}

interface ReleaseSelectProps {
  connector: ConnectorDetail;
  release: string | undefined;
  error: string | undefined;
  onChange: (change: PartChange) => void;
}

const NEWEST = 'newest';

function ReleaseSelect({ connector, release, error, onChange }: ReleaseSelectProps) {
  const digestWords = (digest: string) => shortenMiddle(digest.replace('sha256:', ''), 6, 4);
  const known = connector.releases.map((item) => ({ value: item.digest, label: `Always exactly ${item.version} (${digestWords(item.digest)})` }));
  const data = [
    { value: NEWEST, label: release === undefined ? `The newest the node has (${connector.release.version})` : 'The newest the node has' },
    ...known,
    ...(release !== undefined && known.every((item) => item.value !== release)
      ? [{ value: release, label: `Always exactly ${digestWords(release)}, which no node has` }]
      : []),
  ];
  return (
    <Select
      label="Version"
      description="The newest is upgraded in place when a node gets a newer release. A pinned one stays until you choose another."
      data={data}
      value={release ?? NEWEST}
      onChange={(value) => onChange({ release: value === NEWEST || value === null ? undefined : value })}
      allowDeselect={false}
      error={error}
      maw={420}
    />
  );
}

function messageAt(problems: DraftProblem[], path: string): string | undefined {
  return problems.find((problem) => problem.path === path)?.message;
}

function settingsErrors(problems: DraftProblem[], at: string): SettingsError[] {
  const prefix = `${at}/settings`;
  return problems
    .filter((problem) => problem.path === prefix || problem.path.startsWith(`${prefix}/`))
    .map((problem) => ({ path: problem.path.slice(prefix.length), message: problem.message }));
}
