'use client';

import { ActionIcon, Button, Menu, Modal, Stack, TextInput, Tooltip } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconArrowBackUp, IconArrowForwardUp, IconCheck, IconDots, IconPencil, IconTrash, IconUpload } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { StateBadge } from '../../../ui/StateBadge.tsx';
import { useNeeds, useSlug } from '../../tenancy/api.tsx';
import type { PipelineDetail } from '../types.ts';
import classes from './PipelineEditor.module.css';
import type { PipelineDraftEditor, SaveState } from './use-pipeline-draft.ts';

/** Name, state and what can be done with the whole pipeline. */
export function EditorHeader({ pipeline, editor }: { pipeline: PipelineDetail; editor: PipelineDraftEditor }) {
  const slug = useSlug();
  return (
    <PageHeader
      title={pipeline.name}
      badge={<StateBadge state={pipeline.state} variant="pill" />}
      back={{ href: paths.pipelines(slug), label: 'Pipelines' }}
      actions={
        <>
          <EditorActions pipeline={pipeline} editor={editor} />
          <MoreMenu pipeline={pipeline} />
        </>
      }
    />
  );
}

/** Whether it is saved, undo and redo, and the way out to the nodes: Publish. */
export function EditorActions({ pipeline, editor }: { pipeline: PipelineDetail; editor: PipelineDraftEditor }) {
  useUndoKeys(editor);
  return (
    <>
      <SaveMark save={editor.save} onRetry={() => void editor.flush()} />
      <Tooltip label="Undo (Ctrl Z)">
        <ActionIcon aria-label="Undo" disabled={!editor.undo} onClick={() => editor.undo?.()}>
          <IconArrowBackUp size={17} aria-hidden />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Redo (Ctrl Shift Z)">
        <ActionIcon aria-label="Redo" disabled={!editor.redo} onClick={() => editor.redo?.()}>
          <IconArrowForwardUp size={17} aria-hidden />
        </ActionIcon>
      </Tooltip>
      <PublishButton pipeline={pipeline} editor={editor} />
    </>
  );
}

function PublishButton({ pipeline, editor }: { pipeline: PipelineDetail; editor: PipelineDraftEditor }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const needs = useNeeds('pipeline.publish');
  const next = (pipeline.publishedRevision ?? 0) + 1;
  const publish = useMutation(
    trpc.pipelines.publish.mutationOptions({
      onSuccess: (result) => {
        editor.setProblems(result.ok ? result.warnings : result.problems);
        void queryClient.invalidateQueries({ queryKey: trpc.pipelines.pathKey() });
        if (result.ok)
          notifications.show({
            color: 'green',
            icon: <IconCheck size={16} aria-hidden />,
            title: `Revision ${result.revision} is published`,
            message:
              result.warnings.length > 0
                ? 'The nodes take it over now. Something could not be checked before: see the notes above the graph.'
                : 'The nodes take it over now; their ticks are below.',
          });
      },
      onError: (error) => notifications.show({ color: 'red', title: 'Not published', message: toErrorView(error).message, autoClose: false }),
    }),
  );
  const nothingNew = pipeline.publishedRevision !== null && !pipeline.hasUnpublishedChanges && editor.save.kind === 'saved';
  const run = async () => {
    const draftVersion = await editor.flush();
    if (draftVersion !== null) publish.mutate({ id: pipeline.id, draftVersion });
  };
  return (
    <NeedsRole role={needs}>
      {(disabled) => (
        <Tooltip label={`Revision ${pipeline.publishedRevision} is what the draft says: there is nothing to publish.`} disabled={!nothingNew}>
          <Button
            leftSection={nothingNew ? <IconCheck size={15} aria-hidden /> : <IconUpload size={15} aria-hidden />}
            onClick={() => void (nothingNew || run())}
            loading={publish.isPending}
            disabled={disabled}
            aria-disabled={nothingNew || undefined}
            variant={nothingNew ? 'default' : 'filled'}
          >
            {nothingNew ? `Revision ${pipeline.publishedRevision} published` : `Publish revision ${next}`}
          </Button>
        </Tooltip>
      )}
    </NeedsRole>
  );
}

function SaveMark({ save, onRetry }: { save: SaveState; onRetry: () => void }) {
  if (save.kind === 'failed') {
    return (
      <Tooltip label={save.error.message}>
        <Button variant="light" color="red" onClick={onRetry}>
          Not saved. Save again
        </Button>
      </Tooltip>
    );
  }
  if (save.kind === 'conflict') {
    return (
      <Tooltip label="Someone else saved this draft meanwhile. Reload to continue from theirs; what you changed since is lost then, so copy what you need.">
        <Button variant="light" color="red" onClick={() => window.location.reload()}>
          Changed by someone else. Reload
        </Button>
      </Tooltip>
    );
  }
  return (
    <span className={classes.save} role="status">
      {save.kind === 'saved' ? 'Draft saved' : 'Saving draft…'}
    </span>
  );
}

function MoreMenu({ pipeline }: { pipeline: PipelineDetail }) {
  const trpc = useTRPC();
  const slug = useSlug();
  const router = useRouter();
  const queryClient = useQueryClient();
  const needs = useNeeds('pipeline.write');
  const [renaming, rename] = useDisclosure(false);
  const [deleting, removal] = useDisclosure(false);
  const [name, setName] = useState(pipeline.name);
  const [typed, setTyped] = useState('');
  const onError = (error: unknown) => notifications.show({ color: 'red', title: 'Not done', message: toErrorView(error).message, autoClose: false });
  const renamePipeline = useMutation(
    trpc.pipelines.rename.mutationOptions({
      onSuccess: () => {
        rename.close();
        return queryClient.invalidateQueries({ queryKey: trpc.pipelines.pathKey() });
      },
      onError,
    }),
  );
  const deletePipeline = useMutation(trpc.pipelines.delete.mutationOptions({ onSuccess: () => router.push(paths.pipelines(slug)), onError }));
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" aria-label="More actions" size={30}>
            <IconDots size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={15} aria-hidden />} onClick={rename.open} disabled={needs !== null}>
            Rename pipeline
          </Menu.Item>
          <Menu.Item leftSection={<IconTrash size={15} aria-hidden />} color="red" onClick={removal.open} disabled={needs !== null}>
            Delete pipeline
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={renaming} onClose={rename.close} title="Rename pipeline">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            renamePipeline.mutate({ id: pipeline.id, name });
          }}
        >
          <Stack>
            <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} maxLength={80} data-autofocus />
            <Button type="submit" loading={renamePipeline.isPending} disabled={name.trim() === ''} ml="auto">
              Rename pipeline
            </Button>
          </Stack>
        </form>
      </Modal>
      <Modal opened={deleting} onClose={removal.close} title={`Delete ${pipeline.name}`}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            deletePipeline.mutate({ id: pipeline.id });
          }}
        >
          <Stack>
            <p style={{ margin: 0 }}>
              Its URL stops accepting messages as soon as the nodes know. Messages that are on their way are not delivered any more; the trail of what was
              delivered stays.
            </p>
            <TextInput
              label={`Type ${pipeline.name} to confirm`}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              data-autofocus
              autoComplete="off"
            />
            <Button type="submit" color="red" loading={deletePipeline.isPending} disabled={typed !== pipeline.name} ml="auto">
              Delete pipeline
            </Button>
          </Stack>
        </form>
      </Modal>
    </>
  );
}

function useUndoKeys(editor: PipelineDraftEditor): void {
  const { undo, redo } = editor;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.metaKey || event.ctrlKey) || event.altKey || event.key.toLowerCase() !== 'z') return;
      const target = event.target;
      // A field has its own undo, and so has the code editor.
      if (target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
      const act = event.shiftKey ? redo : undo;
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [undo, redo]);
}
