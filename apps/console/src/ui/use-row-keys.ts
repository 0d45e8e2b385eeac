'use client';

import { type RefObject, useEffect } from 'react';

/** True while the person types or a dialog or menu has the keyboard: single letters are not commands then. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (event.metaKey || event.ctrlKey || event.altKey) return true;
  if (target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) {
    return !(target instanceof HTMLInputElement && target.type === 'checkbox');
  }
  return document.querySelector('[role="dialog"], [role="menu"]') !== null;
}

/** j and k move the focus from row to row of a table body; Enter then opens the row's link by itself; x ticks its checkbox. */
export function useRowKeys(body: RefObject<HTMLElement | null>, enabled: boolean): void {
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent) => {
      if (!/^[jkx]$/.test(event.key) || isTyping(event) || !body.current) return;
      const rows = [...body.current.querySelectorAll<HTMLElement>('[data-row]')];
      const at = rows.findIndex((row) => row.contains(document.activeElement));
      if (event.key === 'x') {
        rows[at]?.querySelector<HTMLElement>('[data-row-select]')?.click();
        return;
      }
      const row = rows[event.key === 'j' ? Math.min(rows.length - 1, at + 1) : Math.max(0, at - 1)];
      if (!row) return;
      event.preventDefault();
      (row.querySelector<HTMLElement>('[data-row-link]') ?? row).focus({ preventScroll: true });
      row.scrollIntoView({ block: 'nearest' });
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [body, enabled]);
}
