'use client';

import { Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPlug } from '@tabler/icons-react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useConnectors, useStartSettings } from '../../connectors/api.tsx';

export interface AddedConnector {
  name: string;
  title: string;
  settings: Record<string, never>;
}

/** The destinations beyond HTTP that the pool's nodes have, as entries of a menu. */
export function AddDestinationItems({ onAdd, word = (title) => title }: { onAdd: (connector: AddedConnector) => void; word?: (title: string) => string }) {
  const connectors = useConnectors('destination');
  const startSettings = useStartSettings();
  const add = async (name: string, title: string) => {
    try {
      onAdd({ name, title, settings: await startSettings(name, 'destination') });
    } catch (error) {
      notifications.show({ color: 'red', title: `${title} was not added`, message: toErrorView(error).message });
    }
  };
  return connectors.map(({ name, title }) => (
    <Menu.Item key={name} leftSection={<IconPlug size={16} aria-hidden />} onClick={() => void add(name, title)}>
      {word(title)}
    </Menu.Item>
  ));
}
