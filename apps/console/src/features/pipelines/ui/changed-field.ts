/**
 * JSON Pointer of the one text or number in which two versions differ; null when more than one differs, or when a part was added,
 * removed or moved. Typing in a field is one step of undo, however many keys it takes; everything else is a step of its own.
 */
export function changedField(before: unknown, after: unknown): string | null {
  const found = differences(before, after, '');
  return found !== null && found.length === 1 ? (found[0] ?? null) : null;
}

/** null: the shapes differ. */
function differences(before: unknown, after: unknown, at: string): string[] | null {
  if (before === after) return [];
  if (!isContainer(before) || !isContainer(after)) return isContainer(before) || isContainer(after) ? null : [at];
  const keys = Object.keys(before);
  if (keys.length !== Object.keys(after).length || keys.some((key) => !(key in after))) return null;
  // Another part in this place, not another value of the same one.
  if (before.id !== after.id) return null;
  const found: string[] = [];
  for (const key of keys) {
    const below = differences(before[key], after[key], `${at}/${key}`);
    if (below === null) return null;
    found.push(...below);
  }
  return found;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
