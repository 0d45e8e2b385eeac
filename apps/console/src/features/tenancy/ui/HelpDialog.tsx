'use client';

import { Modal, Table, Text } from '@mantine/core';
import { Key } from './Key.tsx';
import { places } from './navigation.ts';

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard shortcuts" size="sm">
      <Shortcuts
        title="Anywhere"
        rows={[
          [['Ctrl', 'K'], 'Search, or jump to a page, pipeline or message'],
          ...places.flat().map((place): Shortcut => [['g', place.key], `Go to ${place.label}`]),
          [['?'], 'This list'],
        ]}
      />
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
