'use client';

import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import dynamic from 'next/dynamic';
import { useState } from 'react';
import classes from './Shell.module.css';

// Nobody pays for the search before using it.
const SearchDialog = dynamic(() => import('./SearchDialog.tsx').then((module) => module.SearchDialog), { ssr: false });

/** Ctrl or ⌘ and K: to any page, pipeline or message. */
export function Search() {
  const [used, setUsed] = useState(0);
  const open = () => setUsed((times) => times + 1);
  useHotkeys([['mod+K', open]], []);
  return (
    <>
      <button type="button" className={classes.search} onClick={open} aria-keyshortcuts="Control+K Meta+K">
        <IconSearch size={15} aria-hidden />
        Search or jump to…
        <kbd className={classes.key}>Ctrl K</kbd>
      </button>
      {used > 0 && <SearchDialog openedTimes={used} />}
    </>
  );
}
