'use client';

import { Menu } from '@mantine/core';
import { IconFilter, IconSend, IconTransform, IconWebhook } from '@tabler/icons-react';
import type { DestinationSpec, PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { addConnector, addDestination, addStep, type DraftPart } from '../draft.ts';
import { AddDestinationItems } from './AddDestinationItems.tsx';

export type OnAddPart = (added: { draft: PipelineDraft; id: string }, kind: DraftPart['kind']) => void;

interface AddPartItemsProps {
  draft: PipelineDraft;
  /** The built-in test receiver of the tenant. */
  receiverUrl: string;
  onAdd: OnAddPart;
}

/** Entries of a menu: the parts that what comes in can go through and to. */
export function AddPartItems({ draft, receiverUrl, onAdd }: AddPartItemsProps) {
  return (
    <>
      <Menu.Label>Step</Menu.Label>
      <Menu.Item leftSection={<IconTransform size={16} aria-hidden />} onClick={() => onAdd(addStep(draft, 'convert'), 'step')}>
        Convert with TypeScript
      </Menu.Item>
      <Menu.Item leftSection={<IconFilter size={16} aria-hidden />} onClick={() => onAdd(addStep(draft, 'filter'), 'step')}>
        Filter with TypeScript
      </Menu.Item>
      <Menu.Label>Destination</Menu.Label>
      <Menu.Item leftSection={<IconSend size={16} aria-hidden />} onClick={() => onAdd(addDestination(draft, ''), 'destination')}>
        HTTP request
      </Menu.Item>
      <Menu.Item leftSection={<IconWebhook size={16} aria-hidden />} onClick={() => onAdd(addDestination(draft, receiverUrl), 'destination')}>
        HTTP request to the test receiver
      </Menu.Item>
      <AddDestinationItems onAdd={(connector) => onAdd(addConnector(draft, connector), 'destination')} />
    </>
  );
}

/** The same for the answer of a destination. */
export function UseAnswerItems({ draft, receiverUrl, onAdd, of }: AddPartItemsProps & { of: DestinationSpec }) {
  return (
    <>
      <Menu.Label>With the answer of “{of.name}”</Menu.Label>
      <Menu.Item leftSection={<IconTransform size={16} aria-hidden />} onClick={() => onAdd(addStep(draft, 'convert', of.id), 'step')}>
        Convert the answer
      </Menu.Item>
      <Menu.Item leftSection={<IconFilter size={16} aria-hidden />} onClick={() => onAdd(addStep(draft, 'filter', of.id), 'step')}>
        Filter the answer
      </Menu.Item>
      <Menu.Item leftSection={<IconSend size={16} aria-hidden />} onClick={() => onAdd(addDestination(draft, '', of.id), 'destination')}>
        HTTP request with the answer
      </Menu.Item>
      <Menu.Item leftSection={<IconWebhook size={16} aria-hidden />} onClick={() => onAdd(addDestination(draft, receiverUrl, of.id), 'destination')}>
        The answer to the test receiver
      </Menu.Item>
      <AddDestinationItems word={(title) => `${title} with the answer`} onAdd={(connector) => onAdd(addConnector(draft, connector, of.id), 'destination')} />
    </>
  );
}
