/** Numbers as text, in place of the language's own, which writes 30.0 and not always the shortest digits: the same as in JavaScript. */

import { NUMBER_SIZE_MAX, writeNumber } from './json/number-write';
import { __new, __renew } from './memory';

const scratch = memory.data(48);

export function dtoa<T extends number>(value: T): string {
  const number = <f64>value;
  if (number - number != 0) return number > 0 ? 'Infinity' : number < 0 ? '-Infinity' : 'NaN';
  const text = __new(NUMBER_SIZE_MAX << 1, idof<string>());
  return changetype<string>(__renew(text, (<usize>writeUnits(text, number)) << 1));
}

/** Writes the characters to a buffer that has room for 28 of them, and returns how many they are. */
export function dtoa_buffered<T extends number>(buffer: usize, value: T): u32 {
  const number = <f64>value;
  if (number - number == 0) return writeUnits(buffer, number);
  const text = dtoa<T>(value);
  memory.copy(buffer, changetype<usize>(text), (<usize>text.length) << 1);
  return text.length;
}

function writeUnits(to: usize, value: f64): u32 {
  const size = writeNumber(value, scratch) - scratch;
  for (let i: usize = 0; i < size; i++) store<u16>(to + (i << 1), load<u8>(scratch + i));
  return <u32>size;
}
