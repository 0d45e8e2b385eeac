'use client';

import { ActionIcon, Menu } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconApi, IconHelp, IconKeyboard } from '@tabler/icons-react';
import dynamic from 'next/dynamic';
import { useEffect } from 'react';
import { paths } from '../../../lib/paths.ts';
import { isTyping } from '../../../ui/use-row-keys.ts';
import { Key } from './Key.tsx';

const HelpDialog = dynamic(() => import('./HelpDialog.tsx').then((module) => module.HelpDialog), { ssr: false });

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
      {opened && <HelpDialog onClose={dialog.close} />}
    </>
  );
}
