'use client';

import { Button, Loader, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { PipelineDraft, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { stageAfter } from '@vrsky/contracts/stages';
import { useState } from 'react';
import { toErrorView } from '../../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../../trpc/trpc-context.ts';
import { formatBytes } from '../../../../ui/format.ts';
import { prettyText } from '../../../../ui/pretty-text.ts';
import { RelativeTime } from '../../../../ui/RelativeTime.tsx';
import { StateBadge } from '../../../../ui/StateBadge.tsx';
import type { MessagePayloads } from '../../../messages/types.ts';
import { FIXTURE_TEXT_MAX } from '../../fixtures.ts';
import type { BenchInput, BenchMessage } from '../../workbench/bench-types.ts';
import classes from './Step.module.css';

interface MessagePickerProps {
  pipelineId: string;
  draft: PipelineDraft;
  step: StepSpec;
  readOnly: boolean;
  onTake: (taken: BenchInput & { message: BenchMessage }) => void;
}

const LISTED = 20;

/** The newest messages of the pipeline: one is taken as what this step got of it. */
export function MessagePicker({ pipelineId, draft, step, readOnly, onTake }: MessagePickerProps) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [opened, setOpened] = useState(false);
  const list = useQuery(trpc.messages.list.queryOptions({ pipelineId, answerOf: step.after ?? null, limit: LISTED }, { enabled: opened }));
  const take = useMutation({
    mutationFn: async (id: string) => {
      const [message, payloads] = await Promise.all([
        queryClient.fetchQuery(trpc.messages.get.queryOptions({ id })),
        queryClient.fetchQuery(trpc.messages.payloads.queryOptions({ id })),
      ]);
      if (!payloads.ok) return payloads.reason;
      const { text, base64, bytes, contentType } = inputOf(payloads, draft, step);
      const payload = text === null ? base64 : prettyText(text);
      if (bytes > FIXTURE_TEXT_MAX || payload.length > FIXTURE_TEXT_MAX)
        return `It has ${formatBytes(bytes)}; a sample has at most ${formatBytes(FIXTURE_TEXT_MAX)}.`;
      onTake({
        payload,
        encoding: text === null ? 'base64' : 'utf8',
        contentType,
        headers: payloads.inputHeaders,
        message: { id, customerId: message.customerId, traceId: message.traceId, pipelineId, receivedAtMs: Date.parse(message.receivedAt) },
      });
      return null;
    },
    onSuccess: (problem) => problem && notifications.show({ color: 'yellow', title: 'No sample taken', message: problem }),
    onError: (error) => notifications.show({ color: 'red', title: 'No sample taken', message: toErrorView(error).message }),
  });
  return (
    <Menu position="bottom-end" width={320} opened={opened} onChange={setOpened}>
      <Menu.Target>
        <Button variant="subtle" size="compact-xs" leftSection={<IconDownload size={13} aria-hidden />} loading={take.isPending} disabled={readOnly}>
          Take a message
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={360} style={{ overflowY: 'auto' }}>
        <Menu.Label>{step.after === undefined ? 'Newest messages of this pipeline' : `Newest answers of “${nameOf(draft, step.after)}”`}</Menu.Label>
        {list.isPending && (
          <Menu.Item disabled leftSection={<Loader size={12} aria-hidden />}>
            Looking…
          </Menu.Item>
        )}
        {list.isError && <Menu.Item disabled>{toErrorView(list.error).message}</Menu.Item>}
        {list.data?.items.length === 0 && (
          <Menu.Item disabled>
            {step.after === undefined
              ? 'None has come yet. Type a sample, or send one to the URL of the source.'
              : 'None has gone on yet: publish, and send a message. Until then type a sample.'}
          </Menu.Item>
        )}
        {list.data?.items.map((message) => (
          <Menu.Item key={message.id} onClick={() => take.mutate(message.id)} rightSection={<span className={classes.dim}>{formatBytes(message.bytes)}</span>}>
            <span style={{ display: 'flex', gap: 12 }}>
              <StateBadge state={message.state} />
              <span className={classes.dim}>
                <RelativeTime at={message.receivedAt} />
              </span>
            </span>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function nameOf(draft: PipelineDraft, destinationId: string): string {
  return draft.destinations.find(({ id }) => id === destinationId)?.name ?? destinationId;
}

/** What this step got: what the last step before it made, as far as that ran, else what came in. */
function inputOf(payloads: Extract<MessagePayloads, { ok: true }>, draft: PipelineDraft, step: StepSpec) {
  const { steps } = stageAfter(draft, step.after ?? null);
  const before = steps.slice(
    0,
    steps.findIndex(({ id }) => id === step.id),
  );
  return before.reduce((input, { id }) => payloads.steps.find((run) => run.id === id)?.output ?? input, payloads.input);
}
