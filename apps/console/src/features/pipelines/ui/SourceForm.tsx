'use client';

import { Skeleton, Stack, TextInput } from '@mantine/core';
import type { HttpSourceSpec, SourceSpec } from '@vrsky/contracts/pipeline-spec';
import { type ReactNode, useCallback, useMemo, useState } from 'react';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { CopyButton } from '../../../ui/CopyButton.tsx';
import { partOfSchema, partOfSettings, type SettingsError, SettingsForm, TestConnection, useHttpSchema } from '../../connectors/api.tsx';
import { curlLine } from '../curl-line.ts';
import { isOpenSource } from '../open-source.ts';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';

interface SourceFormProps {
  source: HttpSourceSpec;
  pipeline: PipelineDetail;
  /** JSON Pointer of the source in the draft. */
  at: string;
  problems: DraftProblem[];
  /** The field that is to have the keyboard, as a JSON Pointer into the draft; a new object each time. */
  focus: { path: string } | null;
  onChange: (change: Partial<SourceSpec>) => void;
  /** Above its fields, such as the choice of another connector. */
  before?: ReactNode;
}

/** The connector's settings as the form groups them; the path is the console's. */
const parts = [
  { title: 'Authentication', keys: ['auth', 'deduplicate'] },
  { title: 'Limits', keys: ['methods', 'contentTypes', 'subpaths', 'limits'] },
  { title: 'Answer', keys: ['split', 'answer'] },
] as const;

export function SourceForm({ source, pipeline, at, problems, focus, onChange, before }: SourceFormProps) {
  const open = isOpenSource(source);
  return (
    <section aria-label="Source">
      <h2 className={classes.formTitle}>HTTP in</h2>
      <p className={classes.formLead}>{leadOf(pipeline, open)}</p>
      <Stack gap="md" maw={640}>
        {before}
        <TextInput
          label="URL"
          value={pipeline.ingestUrl}
          readOnly
          rightSection={<CopyButton value={pipeline.ingestUrl} what="URL" />}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-sm)' } }}
          onFocus={(event) => event.currentTarget.select()}
        />
        <TextInput
          label="Name"
          value={source.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={80}
          error={source.name.trim() === '' ? 'Give it a name' : undefined}
        />
        {open ? (
          <div>
            <p className={classes.label}>Try it from a terminal</p>
            <CodeBlock code={curlLine(pipeline.ingestUrl, pipeline.draft.steps[0]?.sample)} what="curl line" wrap />
          </div>
        ) : (
          <p className={classes.help}>
            Requests have to show who sends them. docs/http has a page for each way, with a request that works as printed. What was refused, and why, shows
            above within seconds.
          </p>
        )}
        <SourceSettings source={source} at={at} problems={problems} focus={focus} onChange={onChange} />
      </Stack>
    </section>
  );
}

function leadOf({ publishedRevision }: PipelineDetail, open: boolean): string {
  if (publishedRevision === null) return 'The URL is yours already. It answers 404 until the pipeline is published.';
  const stored = 'Answers 202 with a message id once the message is stored on disk, never before.';
  return open ? `${stored} Whoever knows the URL can send: treat it like a password.` : stored;
}

/** What the connector can be set to, from its own schema. */
function SourceSettings({ source, at, problems, focus, onChange }: Omit<SourceFormProps, 'pipeline' | 'before'>) {
  const { schema, isPending } = useHttpSchema('source');
  const [tested, setTested] = useState<SettingsError[]>([]);
  const takeErrors = useCallback((errors: SettingsError[]) => setTested((was) => (was.length === 0 && errors.length === 0 ? was : errors)), []);
  const prefix = `${at}/settings`;
  const errors = useMemo(() => [...errorsAt(problems, prefix), ...tested], [problems, prefix, tested]);
  const pointer = useMemo(() => (focus?.path.startsWith(prefix) ? { pointer: focus.path.slice(prefix.length) } : null), [focus, prefix]);
  if (isPending) return <Skeleton height={160} />;
  if (schema === null)
    return <p className={classes.help}>Who may send, limits and answers can be set as soon as a node of your pool has said what its HTTP connector knows.</p>;
  return (
    <>
      {parts.map(({ title, keys }) => {
        const own = errors.filter(({ path }) => isOneOf(keys, path));
        const ownFocus = pointer !== null && isOneOf(keys, pointer.pointer) ? pointer : null;
        return (
          <Part key={title} title={title} isWanted={title === 'Authentication' || own.length > 0 || ownFocus !== null}>
            <SettingsForm
              schema={partOfSchema(schema, keys)}
              value={partOfSettings(source.settings, keys)}
              errors={own}
              showAll={tested.length > 0}
              focus={ownFocus}
              onChange={(part) => onChange({ settings: withPart(source.settings, keys, part) } as Partial<SourceSpec>)}
            />
          </Part>
        );
      })}
      <TestConnection connector="http" release={source.release} connectorRole="source" settings={source.settings} onErrors={takeErrors} />
    </>
  );
}

/** Out of the way until somebody opens it, or something in it is wrong. */
function Part({ title, isWanted, children }: { title: string; isWanted: boolean; children: ReactNode }) {
  const [isOpened, setOpened] = useState(isWanted);
  const [wasWanted, setWasWanted] = useState(isWanted);
  if (wasWanted !== isWanted) {
    setWasWanted(isWanted);
    if (isWanted) setOpened(true);
  }
  return (
    <details open={isOpened} onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary className={classes.label}>{title}</summary>
      {isOpened && children}
    </details>
  );
}

function withPart(settings: HttpSourceSpec['settings'], keys: readonly string[], part: Record<string, unknown>): Record<string, unknown> {
  const others = Object.entries(settings).filter(([key]) => !keys.includes(key));
  return { ...Object.fromEntries(others), ...part };
}

function isOneOf(keys: readonly string[], pointer: string): boolean {
  return keys.includes(pointer.split('/')[1] ?? '');
}

function errorsAt(problems: readonly DraftProblem[], prefix: string): SettingsError[] {
  return problems
    .filter((problem) => problem.path.startsWith(`${prefix}/`))
    .map((problem) => ({ path: problem.path.slice(prefix.length), message: problem.message }));
}
