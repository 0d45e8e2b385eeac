'use client';

import { Skeleton } from '@mantine/core';
import type { HttpDestinationSpec } from '@vrsky/contracts/pipeline-spec';
import { useCallback } from 'react';
import { partOfSchema, partOfSettings, type SettingsError, SettingsForm, useHttpSchema } from '../../connectors/api.tsx';
import { secretHosts } from '../secret-hosts.ts';
import classes from './PipelineEditor.module.css';

type Settings = HttpDestinationSpec['settings'];

interface HttpDestinationSettingsProps {
  settings: Settings;
  /** By path within the destination: `settings/auth/token`. */
  errors: Map<string, string>;
  showAll: boolean;
  /** The field that is to have the keyboard, as a pointer into the settings; a new object each time. */
  focus: { pointer: string } | null;
  onChange: (settings: Settings) => void;
}

/** The connector's settings as the form groups them. */
const parts = [
  { title: 'Authentication', keys: ['auth', 'signing', 'tls'] },
  { title: 'Advanced', keys: ['body', 'methodFrom', 'answers', 'pace', 'redirects', 'timeouts', 'http2', 'compress'] },
] as const;

/** What the connector can be set to beyond where and how often, from its own schema. */
export function HttpDestinationSettings({ settings, errors, showAll, focus, onChange }: HttpDestinationSettingsProps) {
  const { schema, isPending } = useHttpSchema('destination');
  const hostsFor = useCallback((pointer: string) => secretHosts(settings, pointer), [settings]);
  if (isPending) return <Skeleton height={60} />;
  if (schema === null)
    return (
      <p className={classes.help}>Authentication, templates and limits can be set as soon as a node of your pool has said what its HTTP connector knows.</p>
    );
  return parts.map(({ title, keys }) => {
    const own = errorsOf(errors, keys);
    const focused = focus !== null && isOneOf(keys, focus.pointer) ? focus : null;
    const isWanted = own.length > 0 || focused !== null || keys.some((key) => settings[key] !== undefined);
    return (
      <details key={title} open={isWanted || undefined}>
        <summary className={classes.label}>{title}</summary>
        <SettingsForm
          schema={partOfSchema(schema, keys)}
          value={partOfSettings(settings, keys)}
          errors={own}
          showAll={showAll}
          focus={focused}
          hostsFor={hostsFor}
          onChange={(part) => onChange(withPart(settings, keys, part))}
        />
      </details>
    );
  });
}

function withPart(settings: Settings, keys: readonly string[], part: Record<string, unknown>): Settings {
  const others = Object.entries(settings).filter(([key]) => !keys.includes(key));
  return { ...Object.fromEntries(others), ...part } as Settings;
}

function errorsOf(errors: Map<string, string>, keys: readonly string[]): SettingsError[] {
  return [...errors]
    .map(([path, message]) => ({ path: path.replace(/^settings/, ''), message }))
    .filter(({ path }) => path.startsWith('/') && isOneOf(keys, path));
}

function isOneOf(keys: readonly string[], pointer: string): boolean {
  return keys.includes(pointer.split('/')[1] ?? '');
}
