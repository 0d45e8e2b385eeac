'use client';

import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { fieldErrorsOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { useNeeds, useSlug } from '../../tenancy/api.tsx';

/** Asks for a name, makes the pipeline and opens it. */
export function NewPipelineButton() {
  const trpc = useTRPC();
  const slug = useSlug();
  const router = useRouter();
  const needs = useNeeds('pipeline.write');
  const [opened, dialog] = useDisclosure(false);
  const [name, setName] = useState('');
  const create = useMutation(trpc.pipelines.create.mutationOptions({ onSuccess: ({ id }) => router.push(paths.pipeline(slug, id)) }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ name });
  };
  const error = create.error ? (fieldErrorsOf(create.error)['/name'] ?? toErrorView(create.error).message) : null;

  return (
    <>
      <NeedsRole role={needs}>
        {(disabled) => (
          <Button leftSection={<IconPlus size={15} aria-hidden />} onClick={dialog.open} disabled={disabled}>
            New pipeline
          </Button>
        )}
      </NeedsRole>
      <Modal opened={opened} onClose={dialog.close} title="New pipeline">
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            <TextInput
              label="Name"
              description="What these messages are, for instance Orders or Stripe events."
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={error}
              data-autofocus
              maxLength={80}
              required
            />
            <Text size="sm" c="dimmed">
              It starts with an HTTP source whose URL exists at once.
            </Text>
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={dialog.close}>
                Cancel
              </Button>
              <Button type="submit" loading={create.isPending || create.isSuccess} disabled={name.trim() === ''}>
                Create pipeline
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
