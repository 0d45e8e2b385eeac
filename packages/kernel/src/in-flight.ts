/**
 * What is under way, by a number that only grows: a window of slots that moves along.
 *
 * A Map or Set whose entries come and go by the thousands is costly in V8: it moves to a new table again and again, each old table points to
 * the next one, and once one of them is old every entry after it survives the collections of young objects, dead as it is.
 */
export interface InFlight<T extends object> {
  readonly size: number;
  /** Numbers are given in order; throws when `number` is not above all before it. */
  add(number: number, entry: T): void;
  get(number: number): T | undefined;
  /** Takes it out and gives it back. */
  take(number: number): T | undefined;
  /** The entry with the lowest number. */
  oldest(): T | undefined;
  /** By number, the lowest first. Entries may be taken out meanwhile. */
  entries(): Iterable<[number: number, entry: T]>;
  /** Takes all out and gives them back, the lowest first. */
  clear(): T[];
}

const SLOTS_FIRST = 64;
/** An entry that stays while so many others came and went is kept aside, so that it does not hold the window open. */
const SLOTS_MAX = 65_536;

export function createInFlight<T extends object>(slotsMax: number = SLOTS_MAX): InFlight<T> {
  let slots: (T | undefined)[] = new Array(Math.min(SLOTS_FIRST, slotsMax)).fill(undefined);
  /** The window: numbers from `first` up to, and without, `end`. */
  let first = 0;
  let end = 0;
  let inWindow = 0;
  const aside = new Map<number, T>();

  const closeUp = (): void => {
    if (inWindow === 0) first = end;
    else while (slots[first % slots.length] === undefined) first++;
  };
  const grow = (): void => {
    const more: (T | undefined)[] = new Array(slots.length * 2).fill(undefined);
    for (let number = first; number < end; number++) more[number % more.length] = slots[number % slots.length];
    slots = more;
  };
  const setAside = (): void => {
    const entry = slots[first % slots.length] as T;
    slots[first % slots.length] = undefined;
    aside.set(first, entry);
    inWindow--;
    first++;
    closeUp();
  };
  const take = (number: number): T | undefined => {
    if (number < first || number >= end) {
      const entry = aside.get(number);
      if (entry !== undefined) aside.delete(number);
      return entry;
    }
    const entry = slots[number % slots.length];
    if (entry === undefined) return undefined;
    slots[number % slots.length] = undefined;
    inWindow--;
    if (number === first) closeUp();
    return entry;
  };

  return {
    get size() {
      return inWindow + aside.size;
    },
    add(number, entry) {
      if (number < end) throw new Error(`bug: number ${number} is not above ${end - 1}`);
      if (inWindow === 0) first = number;
      while (number - first >= slots.length) {
        if (slots.length < slotsMax) grow();
        else setAside();
        if (inWindow === 0) first = number;
      }
      slots[number % slots.length] = entry;
      end = number + 1;
      inWindow++;
    },
    get: (number) => (number < first || number >= end ? aside.get(number) : slots[number % slots.length]),
    take,
    oldest() {
      for (const entry of aside.values()) return entry;
      return inWindow === 0 ? undefined : slots[first % slots.length];
    },
    *entries() {
      yield* [...aside];
      for (let number = first; number < end; number++) {
        const entry = number < first ? undefined : slots[number % slots.length];
        if (entry !== undefined) yield [number, entry];
      }
    },
    clear() {
      const all = [...aside.values()];
      for (let number = first; number < end; number++) {
        const entry = slots[number % slots.length];
        if (entry !== undefined) all.push(entry);
      }
      aside.clear();
      slots.fill(undefined);
      first = end;
      inWindow = 0;
      return all;
    },
  };
}
