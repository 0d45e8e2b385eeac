import type { Page } from '../types.ts';

/**
 * A list, newest first, that grows at its head while somebody reads it. Rows on the page are renewed in place; new ones are put in
 * only when that moves nothing under the reader's eyes (`hold` is false), else they wait and are counted.
 */
export interface LiveList<T> {
  items: T[];
  /** For what is older than the last item; null at the end. */
  olderCursor: string | null;
  /** The newest page when it holds items that are not shown yet. */
  waiting: { page: Page<T>; count: number; more: boolean } | null;
  /** Keys of the items that came in last. */
  arrived: ReadonlySet<string>;
}

export function startList<T>(page: Page<T>): LiveList<T> {
  return { items: page.items, olderCursor: page.nextCursor, waiting: null, arrived: new Set() };
}

export function takeHead<T>(list: LiveList<T>, page: Page<T>, keyOf: (item: T) => string, hold: boolean): LiveList<T> {
  const shown = new Set(list.items.map(keyOf));
  const fresh = page.items.filter((item) => !shown.has(keyOf(item)));
  const renewed = renew(list.items, page.items, keyOf);
  if (fresh.length === 0) return { ...list, items: renewed, waiting: null };
  // Nothing in common: more has come than one page holds, and what lies between is not known here.
  const gap = list.items.length > 0 && fresh.length === page.items.length && page.nextCursor !== null;
  if (hold && list.items.length > 0) return { ...list, items: renewed, waiting: { page, count: fresh.length, more: gap } };
  const arrived = new Set(list.items.length > 0 || page.items.length <= fresh.length ? fresh.map(keyOf) : []);
  if (gap || list.items.length === 0) return { ...startList(page), arrived };
  return { items: [...fresh, ...renewed], olderCursor: list.olderCursor, waiting: null, arrived };
}

/** Shows what was waiting. */
export function takeWaiting<T>(list: LiveList<T>, keyOf: (item: T) => string): LiveList<T> {
  return list.waiting ? takeHead(list, list.waiting.page, keyOf, false) : list;
}

export function takeOlder<T>(list: LiveList<T>, page: Page<T>, keyOf: (item: T) => string): LiveList<T> {
  const shown = new Set(list.items.map(keyOf));
  return { ...list, items: [...list.items, ...page.items.filter((item) => !shown.has(keyOf(item)))], olderCursor: page.nextCursor };
}

function renew<T>(items: T[], newer: T[], keyOf: (item: T) => string): T[] {
  const byKey = new Map(newer.map((item) => [keyOf(item), item]));
  return items.map((item) => byKey.get(keyOf(item)) ?? item);
}
