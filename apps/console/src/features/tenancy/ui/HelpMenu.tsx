'use client';

import { ActionIcon, Menu, Modal, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconApi, IconHelp, IconKeyboard } from '@tabler/icons-react';
import { useEffect } from 'react';
import { paths } from '../../../lib/paths.ts';
import { isTyping } from '../../../ui/use-row-keys.ts';
import { places } from './navigation.ts';
import classes from './Shell.module.css';

export function HelpMenu() {
  const [opened, dialog] = useDisclosure(false);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === '?' && !isTyping(event)) dialog.open();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [dialog]);

  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon size="lg" aria-label="Help" c="dimmed">
            <IconHelp size={19} stroke={1.75} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconKeyboard size={16} aria-hidden />} onClick={dialog.open} rightSection={<Key name="?" />}>
            Keyboard shortcuts
          </Menu.Item>
          <Menu.Item leftSection={<IconApi size={16} aria-hidden />} component="a" href={paths.openApi} target="_blank" rel="noreferrer">
            REST API description (OpenAPI)
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={opened} onClose={dialog.close} title="Keyboard shortcuts" size="sm">
        <Shortcuts title="Anywhere" rows={[[['Ctrl', 'K'], 'Search, or jump to a page, pipeline or message'], ...places.flat().map((place): Shortcut => [['g', place.key], `Go to ${place.label}`]), [['?'], 'This list']]} />
        <Shortcuts
          title="In a list"
          rows={[
            [['j'], 'Next row'],
            [['k'], 'Previous row'],
            [['Enter'], 'Open the row'],
            [['x'], 'Select the row, where rows can be selected'],
          ]}
        />
      </Modal>
    </>
  );
}

type Shortcut = [keys: string[], what: string];

function Shortcuts({ title, rows }: { title: string; rows: Shortcut[] }) {
  return (
    <>
      <Text fw={600} size="sm" mt="xs" mb={4}>
        {title}
      </Text>
      <Table withRowBorders={false} verticalSpacing={3} horizontalSpacing={0} mb="sm">
        <Table.Tbody>
          {rows.map(([keys, what]) => (
            <Table.Tr key={keys.join()}>
              <Table.Td w={96}>
                {keys.map((key) => (
                  <Key key={key} name={key} />
                ))}
              </Table.Td>
              <Table.Td>{what}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
  );
}

export function Key({ name }: { name: string }) {
  return (
    <kbd className={classes.key} style={{ marginRight: 4 }}>
      {name}
    </kbd>
  );
}
