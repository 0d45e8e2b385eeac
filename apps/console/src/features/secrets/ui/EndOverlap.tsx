'use client';

import { Button, Group, Modal, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { formatCount } from '../../../ui/format.ts';
import type { SecretView } from '../types.ts';

/** The last step of a rotation: from now on only the newest version counts. */
export function EndOverlap({ secret, onClose }: { secret: SecretView; onClose: () => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const end = useMutation(
    trpc.secrets.replace.mutationOptions({
      onSuccess: ({ name, versions }) => {
        notifications.show({ color: 'good', title: 'Overlap ended', message: `Only version ${versions[0]?.number} of ${name} is valid now.` });
        void queryClient.invalidateQueries({ queryKey: trpc.secrets.pathKey() });
        onClose();
      },
    }),
  );
  const [current, ...older] = secret.versions;
  return (
    <Modal opened onClose={onClose} title={`End the overlap of ${secret.name}`}>
      <Text>
        {formatCount(older.length, 'replaced version')} ({older.map(({ number }) => number).join(', ')}) stop{older.length === 1 ? 's' : ''} being valid at once
        and cannot be brought back. Whoever still uses the old value is refused: change it on the other side first.
      </Text>
      <Text mt="sm">Version {current?.number} stays.</Text>
      {end.error && (
        <div style={{ marginTop: 12 }}>
          <ErrorState error={toErrorView(end.error)} />
        </div>
      )}
      <Group justify="flex-end" mt="lg" gap="xs">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button color="bad" loading={end.isPending} onClick={() => end.mutate({ name: secret.name, revision: secret.revision, endOverlap: true })}>
          End overlap
        </Button>
      </Group>
    </Modal>
  );
}
