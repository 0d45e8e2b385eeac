'use client';

import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { fieldErrorsOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { HostsField, OverlapField, ValueField } from './SecretFields.tsx';
import { fieldOf, hostsOf } from './secret-words.ts';

const DAY = 86_400;

export interface CreateSecretProps {
  onClose: () => void;
  /** Where it was wanted; else it is chosen later. */
  onCreated?: (name: string) => void;
  /** Where the setting that asks for it sends it. */
  hosts?: string[];
}

/** Name, value, hosts. After it is stored the value is shown to nobody, also not to who typed it. */
export function CreateSecret({ onClose, onCreated, hosts: suggested = [] }: CreateSecretProps) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [name, setName] = useState('');
  const [value, setValue] = useState('');
  const [hosts, setHosts] = useState(suggested.join('\n'));
  const [overlapSeconds, setOverlap] = useState(DAY);
  const create = useMutation(
    trpc.secrets.create.mutationOptions({
      gcTime: 0,
      onSuccess: (secret) => {
        notifications.show({
          color: 'good',
          title: 'Secret added',
          message: onCreated ? `${secret.name} is chosen.` : `Choose ${secret.name} in the settings of a source or a destination.`,
        });
        void queryClient.invalidateQueries({ queryKey: trpc.secrets.pathKey() });
        onCreated?.(secret.name);
        onClose();
      },
    }),
  );
  const errors = fieldErrorsOf(create.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // React hands it on to whatever the dialog was opened from.
    event.stopPropagation();
    create.mutate({ name: name.trim(), value, hosts: hostsOf(hosts), overlapSeconds });
  };
  return (
    <Modal opened onClose={onClose} title="Add secret" size="lg">
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            label="Name"
            description="Settings refer to it by this name, such as shop-api-token. It cannot be changed later."
            withAsterisk
            maxLength={63}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={fieldOf(errors, 'name')}
          />
          <ValueField
            label="Value"
            required
            description="Up to 16 KiB. It is stored encrypted and never shown again, to nobody: keep your own copy where you keep passwords."
            value={value}
            onChange={setValue}
            error={fieldOf(errors, 'value')}
          />
          <HostsField value={hosts} onChange={setHosts} error={fieldOf(errors, 'hosts')} />
          <OverlapField value={overlapSeconds} onChange={setOverlap} error={fieldOf(errors, 'overlapSeconds')} />
          {create.error && Object.keys(errors).length === 0 && <ErrorState error={toErrorView(create.error)} />}
        </Stack>
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Add secret
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
