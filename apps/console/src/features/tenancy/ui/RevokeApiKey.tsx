'use client';

import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { RelativeTime } from '../../../ui/RelativeTime.tsx';
import type { ApiKeyView } from '../types.ts';

/** Irreversible: the name of the key is typed before it happens. */
export function RevokeApiKey({ apiKey, onClose }: { apiKey: ApiKeyView; onClose: () => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState('');
  const revoke = useMutation(
    trpc.apiKeys.revoke.mutationOptions({
      onSuccess: () => {
        notifications.show({ color: 'good', title: 'API key revoked', message: `${apiKey.name} is refused from now on.` });
        void queryClient.invalidateQueries({ queryKey: trpc.apiKeys.pathKey() });
        onClose();
      },
    }),
  );
  return (
    <Modal opened onClose={onClose} title={`Revoke ${apiKey.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === apiKey.name) revoke.mutate({ id: apiKey.id });
        }}
      >
        <Text>
          Programs that use this key are refused at once, and it cannot be brought back. It was last used{' '}
          {apiKey.lastUsedAt ? <RelativeTime at={apiKey.lastUsedAt} /> : 'never'}.
        </Text>
        <TextInput
          mt="md"
          label={`Type ${apiKey.name} to confirm`}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          data-autofocus
          autoComplete="off"
          spellCheck={false}
        />
        {revoke.error && (
          <div style={{ marginTop: 12 }}>
            <ErrorState error={toErrorView(revoke.error)} />
          </div>
        )}
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color="bad" disabled={typed !== apiKey.name} loading={revoke.isPending}>
            Revoke API key
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
