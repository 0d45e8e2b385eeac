'use client';

import { Button, Group, Modal, Progress, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { formatCount } from '../../../ui/format.ts';
import type { DeadLetterView } from '../types.ts';
import { type RunReport, runEach } from './run-each.ts';

const AT_ONCE = 4;

type Stage = { name: 'confirm' } | { name: 'running'; report: RunReport<DeadLetterView> } | { name: 'done'; report: RunReport<DeadLetterView> };

/** What will happen, with counts → confirm → progress that can be stopped → what still fails. Give it `key` so that each opening starts anew. */
export function BulkSendAgain({ letters, onClose, onSent }: { letters: DeadLetterView[]; onClose: () => void; onSent: (remaining: DeadLetterView[]) => void }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const resend = useMutation(trpc.deadLetters.resend.mutationOptions());
  const [stage, setStage] = useState<Stage>({ name: 'confirm' });
  const stop = useRef(new AbortController());
  const pipelines = [...Map.groupBy(letters, (letter) => letter.pipelineName)];
  const again = letters.filter((letter) => letter.resentAt !== null).length;

  async function run(): Promise<void> {
    setStage({ name: 'running', report: { done: 0, failed: [], stopped: false } });
    const report = await runEach(
      letters,
      AT_ONCE,
      ({ messageId, destinationId }) => resend.mutateAsync({ messageId, destinationId }),
      stop.current.signal,
      (progress) => setStage({ name: 'running', report: progress }),
    );
    setStage({ name: 'done', report });
    onSent(report.failed.map(({ item }) => item));
    void queryClient.invalidateQueries({ queryKey: trpc.deadLetters.pathKey() });
  }

  const count = formatCount(letters.length, 'dead letter');
  return (
    <Modal
      opened
      onClose={onClose}
      closeOnClickOutside={stage.name !== 'running'}
      closeOnEscape={stage.name !== 'running'}
      withCloseButton={stage.name !== 'running'}
      title={stage.name === 'done' ? 'Result' : `Send ${count} again`}
    >
      {stage.name === 'confirm' && (
        <>
          <Text mb="xs">Each one becomes a new message with its own trail and goes to the destination that gave up on it:</Text>
          <ul style={{ margin: '0 0 12px', paddingLeft: 20 }}>
            {pipelines.map(([name, group]) => (
              <li key={name}>
                {name}: {formatCount(group.length, 'message')}
              </li>
            ))}
          </ul>
          {again > 0 && (
            <Text mb="xs" c="var(--vr-wait-fg)">
              {formatCount(again, 'of them has', 'of them have')} been sent again before; the receiver may get {again === 1 ? 'it' : 'them'} twice.
            </Text>
          )}
          <Group justify="flex-end" mt="md" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button data-autofocus onClick={() => void run()}>
              Send {count} again
            </Button>
          </Group>
        </>
      )}
      {stage.name === 'running' && (
        <>
          <Progress value={((stage.report.done + stage.report.failed.length) / letters.length) * 100} aria-label="Sent so far" />
          <Text mt="xs" role="status">
            {stage.report.done + stage.report.failed.length} of {count}
          </Text>
          <Group justify="flex-end" mt="md">
            <Button variant="default" onClick={() => stop.current.abort()}>
              Stop
            </Button>
          </Group>
        </>
      )}
      {stage.name === 'done' && (
        <div role="status">
          <Text>
            {formatCount(stage.report.done, 'dead letter')} sent again.
            {stage.report.stopped && ` Stopped before the other ${letters.length - stage.report.done - stage.report.failed.length}.`}
          </Text>
          {stage.report.failed.length > 0 && (
            <>
              <Text mt="xs" c="var(--vr-bad-fg)">
                {formatCount(stage.report.failed.length, 'one')} could not be sent; {stage.report.failed.length === 1 ? 'it stays' : 'they stay'} selected:
              </Text>
              <ul style={{ margin: '4px 0 0', paddingLeft: 20 }}>
                {[...Map.groupBy(stage.report.failed, ({ error }) => toErrorView(error).message)].map(([message, group]) => (
                  <li key={message}>
                    {formatCount(group.length, 'dead letter')}: {message}
                  </li>
                ))}
              </ul>
            </>
          )}
          <Group justify="flex-end" mt="md">
            <Button data-autofocus onClick={onClose}>
              Close
            </Button>
          </Group>
        </div>
      )}
    </Modal>
  );
}
