import { AppError } from '@vrsky/kernel/errors';

/** A place in a list that runs from new to old: time, then an id that tells rows of the same time apart. */
export interface PagePlace {
  at: Date;
  id: string;
}

export function formatCursor({ at, id }: PagePlace): string {
  return Buffer.from(`${at.getTime()} ${id}`).toString('base64url');
}

export function parseCursor(cursor: string): PagePlace {
  const parts = /^(\d{1,15}) (\S{1,120})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (!parts)
    throw new AppError({
      code: 'CURSOR.INVALID',
      kind: 'invalid',
      message: 'a cursor of another making',
      publicMessage: 'This cursor is not one of ours. Start again without a cursor.',
    });
  return { at: new Date(Number(parts[1])), id: parts[2] as string };
}

/** Splits `limit + 1` rows into a page and the cursor of the next one. */
export function toPage<R>(rows: R[], limit: number, placeOf: (row: R) => PagePlace): { rows: R[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, nextCursor: rows.length > limit && last ? formatCursor(placeOf(last)) : null };
}
