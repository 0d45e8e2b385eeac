'use client';

import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import type { SecretView } from '../types.ts';

/** Irreversible: the name is typed before it happens. While something uses it, the answer says what. */
export function DeleteSecret({ secret, onClose }: { secret: SecretView; onClose: () => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState('');
  const remove = useMutation(
    trpc.secrets.delete.mutationOptions({
      onSuccess: () => {
        notifications.show({ color: 'good', title: 'Secret deleted', message: `${secret.name} and all its versions are gone.` });
        void queryClient.invalidateQueries({ queryKey: trpc.secrets.pathKey() });
        onClose();
      },
    }),
  );
  return (
    <Modal opened onClose={onClose} title={`Delete ${secret.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === secret.name) remove.mutate({ name: secret.name });
        }}
      >
        <Text>All its versions are destroyed and cannot be brought back. A secret that a pipeline refers to cannot be deleted.</Text>
        <TextInput
          mt="md"
          label={`Type ${secret.name} to confirm`}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          data-autofocus
          autoComplete="off"
          spellCheck={false}
        />
        {remove.error && (
          <div style={{ marginTop: 12 }}>
            <ErrorState error={toErrorView(remove.error)} />
          </div>
        )}
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color="bad" disabled={typed !== secret.name} loading={remove.isPending}>
            Delete secret
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
