'use client';

import { Anchor, Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconSend } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { shortenMiddle } from '../../../ui/format.ts';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { useNeeds, useSlug } from '../../tenancy/api.tsx';

interface SendAgainProps {
  messageId: string;
  destinationId: string;
  label?: string;
  /** What it is for, where many such buttons stand in a list. */
  describedBy?: string;
  quiet?: boolean;
}

/** Sends a dead letter to its destination once more, as a new message with a trail of its own. */
export function SendAgain({ messageId, destinationId, label = 'Send again', describedBy, quiet = false }: SendAgainProps) {
  const slug = useSlug();
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const needs = useNeeds('message.resend');
  const resend = useMutation(
    trpc.deadLetters.resend.mutationOptions({
      onSuccess: (sent) => {
        notifications.show({
          color: 'good',
          title: 'Sent again',
          message: (
            <>
              It is under way as{' '}
              <Anchor component={Link} href={paths.message(slug, sent.messageId)} className="mono" size="sm">
                {shortenMiddle(sent.messageId)}
              </Anchor>
              .
            </>
          ),
        });
        void queryClient.invalidateQueries({ queryKey: trpc.deadLetters.pathKey() });
        void queryClient.invalidateQueries({ queryKey: trpc.messages.get.pathKey() });
      },
      onError: (error) => {
        const view = toErrorView(error);
        notifications.show({ color: 'bad', title: `Not sent again: ${view.title}`, message: view.message, autoClose: 12_000 });
      },
    }),
  );
  return (
    <NeedsRole role={needs}>
      {(disabled) => (
        <Button
          size={quiet ? 'compact-xs' : 'xs'}
          variant={quiet ? 'default' : 'filled'}
          leftSection={quiet ? undefined : <IconSend size={15} aria-hidden />}
          disabled={disabled}
          loading={resend.isPending}
          onClick={() => resend.mutate({ messageId, destinationId })}
          aria-label={describedBy ? `${label}: ${describedBy}` : undefined}
        >
          {label}
        </Button>
      )}
    </NeedsRole>
  );
}
