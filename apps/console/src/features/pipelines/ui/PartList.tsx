'use client';

import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowDown, IconArrowUp, IconPlus, IconTrash } from '@tabler/icons-react';
import { hasStage } from '@vrsky/contracts/stages';
import type { ReactNode } from 'react';
import { useConnectorTitles } from '../../connectors/api.tsx';
import { canMove, type DraftPart, movePart, partsOf, removePart, stageParts, strayParts } from '../draft.ts';
import type { PipelineDetail } from '../types.ts';
import { AddPartItems, type OnAddPart, UseAnswerItems } from './AddPartItems.tsx';
import classes from './PartList.module.css';
import { kindWord, partIcon } from './part-look.ts';
import type { PipelineDraftEditor } from './use-pipeline-draft.ts';

interface PartListProps {
  pipeline: PipelineDetail;
  editor: PipelineDraftEditor;
  selectedId: string;
  /** The part that has the keyboard when the list appears. */
  focusId: string | null;
  onSelect: (id: string, kind?: DraftPart['kind']) => void;
}

/** The pipeline as an ordered list: everything the canvas can do, by keyboard. */
export function PartList({ pipeline, editor, selectedId, focusId, onSelect }: PartListProps) {
  const { draft, edit, problems } = editor;
  const titles = useConnectorTitles();
  const add: OnAddPart = (added, kind) => {
    edit(added.draft);
    onSelect(added.id, kind);
  };
  const remove = ({ part }: DraftPart) => {
    const taken = stageParts(draft, part.id, true);
    edit(removePart(draft, part.id));
    onSelect(draft.source.id, 'source');
    if (taken.length > 0)
      notifications.show({
        title: `“${part.name}” was removed`,
        message: `With it went what takes its answer: ${taken.map((item) => `“${item.part.name}”`).join(', ')}. Undo brings all of it back.`,
      });
  };
  const row = (item: DraftPart) => (
    <PartRow
      item={item}
      kind={kindWord(item, titles)}
      selected={item.part.id === selectedId}
      focused={item.part.id === focusId}
      problem={problems.some((problem) => problem.partId === item.part.id && !problem.warning)}
      canMove={(by) => canMove(draft, item.part.id, by)}
      onSelect={() => onSelect(item.part.id)}
      onMove={(by) => edit(movePart(draft, item.part.id, by))}
      onRemove={() => remove(item)}
    />
  );
  const stage = (after: string | null): ReactNode =>
    stageParts(draft, after).map((item) => (
      <li key={item.part.id}>
        {row(item)}
        {item.kind === 'destination' && hasStage(draft, item.part.id) && (
          <ol className={classes.inner} aria-label={`With the answer of ${item.part.name}`}>
            {stage(item.part.id)}
          </ol>
        )}
      </li>
    ));
  const parts = partsOf(draft);
  const strays = new Set(strayParts(draft).map(({ id }) => id));
  const selected = draft.destinations.find(({ id }) => id === selectedId);
  return (
    <section className={classes.list} aria-label="Parts of the pipeline">
      <ol>
        {parts.map((item) => (item.kind === 'source' ? <li key={item.part.id}>{row(item)}</li> : null))}
        {stage(null)}
        {parts.map((item) => (strays.has(item.part.id) ? <li key={item.part.id}>{row(item)}</li> : null))}
      </ol>
      <div className={classes.add}>
        <Menu position="bottom-start" width={280}>
          <Menu.Target>
            <Button variant="default" leftSection={<IconPlus size={15} aria-hidden />} fullWidth>
              Add part
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <AddPartItems draft={draft} receiverUrl={pipeline.receiverUrl} onAdd={add} />
            {selected && <UseAnswerItems draft={draft} receiverUrl={pipeline.receiverUrl} onAdd={add} of={selected} />}
          </Menu.Dropdown>
        </Menu>
      </div>
    </section>
  );
}

interface PartRowProps {
  item: DraftPart;
  kind: string;
  selected: boolean;
  focused: boolean;
  problem: boolean;
  canMove: (by: 1 | -1) => boolean;
  onSelect: () => void;
  onMove: (by: 1 | -1) => void;
  onRemove: () => void;
}

function PartRow({ item, kind, selected, focused, problem, canMove: movable, onSelect, onMove, onRemove }: PartRowProps) {
  const PartIcon = partIcon(item);
  return (
    <div className={classes.row} data-selected={selected || undefined} data-problem={problem || undefined}>
      <button type="button" className={classes.part} onClick={onSelect} aria-current={selected ? 'true' : undefined} ref={focused ? takeFocus : undefined}>
        <PartIcon size={17} stroke={1.75} aria-hidden />
        <span className={classes.words}>
          <span className={classes.name}>{item.part.name}</span>
          <span className={classes.kind}>{problem ? 'Needs attention' : kind}</span>
        </span>
      </button>
      {item.kind !== 'source' && (
        <span className={classes.tools}>
          <Tool label={`Move ${item.part.name} up`} disabled={!movable(-1)} onClick={() => onMove(-1)} icon={IconArrowUp} />
          <Tool label={`Move ${item.part.name} down`} disabled={!movable(1)} onClick={() => onMove(1)} icon={IconArrowDown} />
          <Tool label={`Remove ${item.part.name}`} onClick={onRemove} icon={IconTrash} />
        </span>
      )}
    </div>
  );
}

function takeFocus(button: HTMLButtonElement | null): void {
  button?.focus();
}

function Tool({ label, icon: ToolIcon, disabled = false, onClick }: { label: string; icon: typeof IconTrash; disabled?: boolean; onClick: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon size={24} aria-label={label} disabled={disabled} onClick={onClick}>
        <ToolIcon size={14} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
