'use client';

import { Alert, Button, Group, Modal, Select, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconAlertTriangle } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { fieldErrorsOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { CodeBlock } from '../../../ui/CodeBlock.tsx';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import type { ApiKeyRole } from '../types.ts';

/** Name it → the secret, once. */
export function CreateApiKey({ onClose }: { onClose: () => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { name: '', role: 'developer' as ApiKeyRole },
    validate: { name: (name) => (name.trim() === '' ? 'Give it a name, such as the program that will use it' : null) },
  });
  const create = useMutation(
    trpc.apiKeys.create.mutationOptions({
      onSuccess: () => void queryClient.invalidateQueries({ queryKey: trpc.apiKeys.pathKey() }),
      onError: (error) => {
        const message = fieldErrorsOf(error)['/name'];
        if (message) form.setFieldError('name', message);
      },
    }),
  );

  if (create.data) return <SecretOnce secret={create.data.secret} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title="Create API key">
      <form onSubmit={form.onSubmit(({ name, role }) => create.mutate({ name: name.trim(), role }))} noValidate>
        <TextInput
          label="Name"
          description="Which program will use it? You see this name in the list and in the audit."
          maxLength={80}
          data-autofocus
          key={form.key('name')}
          {...form.getInputProps('name')}
        />
        <Select
          mt="md"
          label="Acts as"
          description="A developer builds, publishes and watches pipelines. An admin also adds, replaces and deletes secrets. Take the lesser one that does."
          data={[
            { value: 'developer', label: 'Developer' },
            { value: 'admin', label: 'Admin' },
          ]}
          allowDeselect={false}
          key={form.key('role')}
          {...form.getInputProps('role')}
        />
        {create.error && !form.errors.name && (
          <div style={{ marginTop: 12 }}>
            <ErrorState error={toErrorView(create.error)} />
          </div>
        )}
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create API key
          </Button>
        </Group>
      </form>
    </Modal>
  );
}

/** The only time the secret is seen: it does not close by a stray click or key. */
function SecretOnce({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Your new API key" closeOnClickOutside={false} closeOnEscape={false} withCloseButton={false} size="lg">
      <Alert color="wait" variant="light" icon={<IconAlertTriangle size={18} aria-hidden />} mb="md">
        Copy it now and keep it where your program finds it. It is not shown again; only its beginning stays in the list.
      </Alert>
      <CodeBlock code={secret} what="API key" wrap />
      <Text size="sm" c="dimmed" mt="md" mb={6}>
        Try it:
      </Text>
      <CodeBlock code={`curl -H 'Authorization: Bearer ${secret}' ${window.location.origin}/api/v1/pipelines`} what="curl line" wrap />
      <Group justify="flex-end" mt="lg">
        <Button onClick={onClose} data-autofocus>
          I have stored it
        </Button>
      </Group>
    </Modal>
  );
}
