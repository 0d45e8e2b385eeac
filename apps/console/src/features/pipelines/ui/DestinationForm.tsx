'use client';

import { ActionIcon, Button, Group, NumberInput, Select, Stack, TextInput } from '@mantine/core';
import { IconPlus, IconTrash, IconWebhook } from '@tabler/icons-react';
import { type DestinationSpec, destinationSchema, type HttpDestinationSpec, httpMethods } from '@vrsky/contracts/pipeline-spec';
import Link from 'next/link';
import { useMemo, useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { type SettingsError, TestConnection } from '../../connectors/api.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import type { DraftProblem } from '../types.ts';
import { HttpDestinationSettings } from './HttpDestinationSettings.tsx';
import { OrderField } from './OrderField.tsx';
import classes from './PipelineEditor.module.css';
import { RetryFields } from './RetryFields.tsx';

interface DestinationFormProps {
  destination: HttpDestinationSpec;
  problems: DraftProblem[];
  receiverUrl: string;
  /** JSON Pointer of the destination in the draft. */
  at: string;
  /** The field that is to have the keyboard, as a JSON Pointer into the draft; a new object each time. */
  focus: { path: string } | null;
  onChange: (change: Partial<HttpDestinationSpec>) => void;
}

/** Where and how a destination sends, and how often it tries. */
export function DestinationForm({ destination, problems, receiverUrl, at, focus, onChange }: DestinationFormProps) {
  const slug = useSlug();
  const { settings, retry } = destination;
  const [touched, setTouched] = useState(settings.url !== '');
  const [tested, setTested] = useState<SettingsError[]>([]);
  const errors = fieldErrors(destination, problems, tested);
  const set = (change: Partial<HttpDestinationSpec['settings']>) => onChange({ settings: { ...settings, ...change } as HttpDestinationSpec['settings'] });
  const setHeader = (index: number, change: Partial<{ name: string; value: string }>) =>
    set({ headers: settings.headers.map((header, i) => (i === index ? { ...header, ...change } : header)) });
  const settingFocus = useMemo(() => {
    const settingsAt = `${at}/settings`;
    return focus?.path.startsWith(settingsAt) ? { pointer: focus.path.slice(settingsAt.length) } : null;
  }, [focus, at]);
  const toReceiver = settings.url === receiverUrl;

  return (
    <section aria-label={`Destination ${destination.name}`}>
      <h2 className={classes.formTitle}>HTTP out</h2>
      <p className={classes.formLead}>
        Each message is one request. An answer of 2xx is a delivery; other answers are tried again with growing waits and end as a dead letter.
      </p>
      <Stack gap="md" maw={640}>
        <TextInput
          label="Name"
          value={destination.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          maxLength={80}
          error={errors.get('name')}
        />
        <div>
          <Group gap="xs" align="flex-start" wrap="nowrap">
            <Select
              label="Method"
              w={110}
              data={[...httpMethods]}
              value={settings.method}
              onChange={(method) => set({ method: httpMethods.find((item) => item === method) ?? 'POST' })}
              allowDeselect={false}
            />
            <TextInput
              label="URL"
              style={{ flex: 1 }}
              placeholder="https://api.example.com/orders"
              value={settings.url}
              onChange={(event) => set({ url: event.currentTarget.value })}
              onBlur={() => setTouched(true)}
              error={touched || tested.length > 0 ? errors.get('settings/url') : undefined}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-sm)' } }}
            />
          </Group>
          <Group gap="xs" mt={6}>
            {toReceiver ? (
              <Button component={Link} href={paths.receiver(slug)} variant="subtle" size="compact-xs" leftSection={<IconWebhook size={14} aria-hidden />}>
                See what arrives at the test receiver
              </Button>
            ) : (
              <Button variant="subtle" size="compact-xs" leftSection={<IconWebhook size={14} aria-hidden />} onClick={() => set({ url: receiverUrl })}>
                Use the test receiver
              </Button>
            )}
          </Group>
        </div>
        <div>
          <p className={classes.label}>Headers</p>
          <Stack gap={6}>
            {settings.headers.map((header, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a header has no identity but its place
              <Group key={index} gap="xs" wrap="nowrap" align="flex-start">
                <TextInput
                  aria-label={`Name of header ${index + 1}`}
                  placeholder="x-api-version"
                  value={header.name}
                  onChange={(event) => setHeader(index, { name: event.currentTarget.value })}
                  error={errors.get(`settings/headers/${index}/name`)}
                  w={220}
                />
                <TextInput
                  aria-label={`Value of header ${index + 1}`}
                  value={header.value}
                  onChange={(event) => setHeader(index, { value: event.currentTarget.value })}
                  error={errors.get(`settings/headers/${index}/value`)}
                  style={{ flex: 1 }}
                />
                <ActionIcon size={36} aria-label={`Remove header ${index + 1}`} onClick={() => set({ headers: settings.headers.toSpliced(index, 1) })}>
                  <IconTrash size={15} aria-hidden />
                </ActionIcon>
              </Group>
            ))}
          </Stack>
          <Button
            variant="subtle"
            size="compact-xs"
            mt={6}
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => set({ headers: [...settings.headers, { name: '', value: '' }] })}
            disabled={settings.headers.length >= 32}
          >
            Add header
          </Button>
          <p className={classes.help}>
            Customer-ID, Idempotency-Key and traceparent are added by the platform. Values, and the URL after its host, may have templates:{' '}
            {'{{ message.order.id }}'}
          </p>
        </div>
        <HttpDestinationSettings
          settings={settings}
          errors={errors}
          showAll={tested.length > 0}
          focus={settingFocus}
          onChange={(next) => onChange({ settings: next })}
        />
        <RetryFields retry={retry} errors={errors} onChange={(next) => onChange({ retry: next })}>
          <NumberInput
            label="Timeout"
            suffix=" ms"
            min={100}
            max={60_000}
            step={500}
            thousandSeparator=","
            value={settings.timeoutMs}
            onChange={(value) => typeof value === 'number' && set({ timeoutMs: value })}
            error={errors.get('settings/timeoutMs')}
            w={150}
            size="sm"
          />
        </RetryFields>
        <OrderField order={destination.order} onChange={(order) => onChange({ order })} />
        <TestConnection connector="http" release={destination.release} connectorRole="destination" settings={settings} onErrors={setTested} />
      </Stack>
    </section>
  );
}

/** By path within the destination: what the schema says at once, and what only the server and the connector know. */
function fieldErrors(destination: DestinationSpec, problems: DraftProblem[], tested: SettingsError[]): Map<string, string> {
  const errors = new Map<string, string>();
  for (const { path, message } of tested) errors.set(`settings${path}`, message);
  for (const problem of problems) errors.set(problem.path.replace(/^\/destinations\/\d+\//, ''), problem.message);
  const parsed = destinationSchema.safeParse(destination);
  for (const issue of parsed.error?.issues ?? []) errors.set(issue.path.join('/'), issue.message);
  return errors;
}
