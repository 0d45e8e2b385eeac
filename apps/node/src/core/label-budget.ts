/** Gives the first `max` values their own label and all later ones `_other`, so that a metric's size is bounded. */
export function createLabelBudget(max: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= max) return '_other';
    known.add(value);
    return value;
  };
}

/** The `max` rows with the largest values, and one row `_other` with the largest of the rest. */
export function topRows<T extends { value: number }>(rows: readonly T[], max: number): { top: T[]; otherMax: number | null } {
  const sorted = rows.toSorted((a, b) => b.value - a.value);
  return { top: sorted.slice(0, max), otherMax: sorted[max]?.value ?? null };
}
