'use client';

import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconFilter, IconPlus, IconSend, IconTransform, IconTrash, IconWebhook } from '@tabler/icons-react';
import { useConnectorTitles } from '../../connectors/api.tsx';
import { addConnector, addDestination, addStep, type DraftPart, movePart, partsOf, removePart } from '../draft.ts';
import type { PipelineDetail } from '../types.ts';
import { AddDestinationItems } from './AddDestinationItems.tsx';
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
  const add = (added: { draft: typeof draft; id: string }, kind: DraftPart['kind']) => {
    edit(added.draft);
    onSelect(added.id, kind);
  };
  return (
    <section className={classes.list} aria-label="Parts of the pipeline">
      <ol>
        {partsOf(draft).map((item) => (
          <li key={item.part.id}>
            <PartRow
              item={item}
              kind={kindWord(item, titles)}
              selected={item.part.id === selectedId}
              focused={item.part.id === focusId}
              problem={problems.some((problem) => problem.partId === item.part.id && !problem.warning)}
              onSelect={() => onSelect(item.part.id)}
              onMove={(by) => edit(movePart(draft, item.part.id, by))}
              onRemove={() => {
                edit(removePart(draft, item.part.id));
                onSelect(draft.source.id, 'source');
              }}
              last={item.kind === 'source' ? 0 : (item.kind === 'step' ? draft.steps : draft.destinations).length - 1}
            />
          </li>
        ))}
      </ol>
      <div className={classes.add}>
        <Menu position="bottom-start" width={280}>
          <Menu.Target>
            <Button variant="default" leftSection={<IconPlus size={15} aria-hidden />} fullWidth>
              Add part
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>Step</Menu.Label>
            <Menu.Item leftSection={<IconTransform size={16} aria-hidden />} onClick={() => add(addStep(draft, 'convert'), 'step')}>
              Convert with TypeScript
            </Menu.Item>
            <Menu.Item leftSection={<IconFilter size={16} aria-hidden />} onClick={() => add(addStep(draft, 'filter'), 'step')}>
              Filter with TypeScript
            </Menu.Item>
            <Menu.Label>Destination</Menu.Label>
            <Menu.Item leftSection={<IconSend size={16} aria-hidden />} onClick={() => add(addDestination(draft, ''), 'destination')}>
              HTTP request
            </Menu.Item>
            <Menu.Item leftSection={<IconWebhook size={16} aria-hidden />} onClick={() => add(addDestination(draft, pipeline.receiverUrl), 'destination')}>
              HTTP request to the test receiver
            </Menu.Item>
            <AddDestinationItems onAdd={(connector) => add(addConnector(draft, connector), 'destination')} />
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
  last: number;
  onSelect: () => void;
  onMove: (by: 1 | -1) => void;
  onRemove: () => void;
}

function PartRow({ item, kind, selected, focused, problem, last, onSelect, onMove, onRemove }: PartRowProps) {
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
          <Tool label={`Move ${item.part.name} up`} disabled={item.index === 0} onClick={() => onMove(-1)} icon={IconArrowUp} />
          <Tool label={`Move ${item.part.name} down`} disabled={item.index === last} onClick={() => onMove(1)} icon={IconArrowDown} />
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
