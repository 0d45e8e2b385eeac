'use client';

import { CopyButton, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { shortenMiddle } from './format.ts';
import classes from './IdText.module.css';

interface IdTextProps {
  value: string;
  /** What it is, for the copy label: "message id". */
  what: string;
  /** Whole, where there is room for it. */
  full?: boolean;
}

/** An id, shortened in the middle; a click copies all of it. */
export function IdText({ value, what, full = false }: IdTextProps) {
  return (
    <CopyButton value={value} timeout={1_500}>
      {({ copied, copy }) => (
        <Tooltip label={<span className="mono">{copied ? 'Copied' : value}</span>} maw={480}>
          <button type="button" className={classes.id} onClick={copy} data-copied={copied || undefined}>
            {full ? value : shortenMiddle(value)}
            <span className="visually-hidden">{copied ? `, ${what} copied` : `, copy ${what}${full ? '' : ` ${value}`}`}</span>
            {copied ? <IconCheck size={13} aria-hidden /> : <IconCopy size={13} aria-hidden />}
          </button>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** The same look without copying, for use inside a link. */
export function IdPlain({ value }: { value: string }) {
  return (
    <span className={classes.plain} title={value}>
      {shortenMiddle(value)}
    </span>
  );
}
