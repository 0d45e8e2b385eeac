'use client';

import { ActionIcon, Button, CopyButton as MantineCopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

/** Copies `value` with one click; says so to the eye and to the ear. With `label` it is a button with words, without it an icon. */
export function CopyButton({ value, what, label }: { value: string; what: string; label?: string }) {
  return (
    <MantineCopyButton value={value} timeout={1_500}>
      {({ copied, copy }) => {
        const mark = copied ? <IconCheck size={15} aria-hidden /> : <IconCopy size={15} aria-hidden />;
        if (label !== undefined) {
          return (
            <Button variant="default" leftSection={mark} onClick={copy}>
              {copied ? 'Copied' : label}
              <CopiedNote copied={copied} what={what} />
            </Button>
          );
        }
        return (
          <Tooltip label={copied ? 'Copied' : `Copy ${what}`}>
            <ActionIcon onClick={copy} aria-label={`Copy ${what}`} size={24} color={copied ? 'good' : 'gray'}>
              {mark}
              <CopiedNote copied={copied} what={what} />
            </ActionIcon>
          </Tooltip>
        );
      }}
    </MantineCopyButton>
  );
}

function CopiedNote({ copied, what }: { copied: boolean; what: string }) {
  return (
    <span role="status" className="visually-hidden">
      {copied ? `Copied ${what}` : ''}
    </span>
  );
}
