'use client';

import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { fieldErrorsOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import type { SecretView } from '../types.ts';
import { HostsField, OverlapField, ValueField } from './SecretFields.tsx';
import { fieldOf, hostsOf } from './secret-words.ts';

/** The next version of a value, or other hosts; connectors get it while they run. */
export function ReplaceSecret({ secret, onClose }: { secret: SecretView; onClose: () => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [value, setValue] = useState('');
  const [hosts, setHosts] = useState(secret.hosts.join('\n'));
  const [overlapSeconds, setOverlap] = useState(secret.overlapSeconds);
  const replace = useMutation(
    trpc.secrets.replace.mutationOptions({
      gcTime: 0,
      onSuccess: ({ name, versions }) => {
        notifications.show({
          color: 'good',
          title: 'Secret changed',
          message: `${name} is at version ${versions[0]?.number}. Connectors get it without a restart.`,
        });
        void queryClient.invalidateQueries({ queryKey: trpc.secrets.pathKey() });
        onClose();
      },
    }),
  );
  const errors = fieldErrorsOf(replace.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    replace.mutate({ name: secret.name, revision: secret.revision, hosts: hostsOf(hosts), overlapSeconds, ...(value !== '' && { value }) });
  };
  const [current, ...older] = secret.versions;
  return (
    <Modal opened onClose={onClose} title={`Replace ${secret.name}`} size="lg">
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <Text size="sm" c="dimmed">
            Version {current?.number}, fingerprint <code>{current?.fingerprint}</code>, set by {current?.createdBy}.{' '}
            {older.map(({ number, validUntil }) => (
              <span key={number}>
                Version {number} stays valid until {validUntil && <RelativeTime at={validUntil} />}.{' '}
              </span>
            ))}
          </Text>
          <ValueField
            label="New value"
            description="Leave it empty to change only what stands below. The value that is stored cannot be shown."
            value={value}
            onChange={setValue}
            error={fieldOf(errors, 'value')}
          />
          <OverlapField value={overlapSeconds} onChange={setOverlap} error={fieldOf(errors, 'overlapSeconds')} />
          <HostsField value={hosts} onChange={setHosts} error={fieldOf(errors, 'hosts')} />
          {replace.error && Object.keys(errors).length === 0 && <ErrorState error={toErrorView(replace.error)} />}
        </Stack>
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={replace.isPending}>
            {value === '' ? 'Save' : 'Replace value'}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
