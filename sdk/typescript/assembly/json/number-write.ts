import { high, log2OfPower, low, multiply, power } from './powers';

/** Room that a number needs at most, with what is written beyond its end. */
export const NUMBER_SIZE_MAX: usize = 40;

const PAIRS = memory.data<u16>([
  0x3030, 0x3130, 0x3230, 0x3330, 0x3430, 0x3530, 0x3630, 0x3730, 0x3830, 0x3930, 0x3031, 0x3131, 0x3231, 0x3331, 0x3431, 0x3531, 0x3631, 0x3731, 0x3831,
  0x3931, 0x3032, 0x3132, 0x3232, 0x3332, 0x3432, 0x3532, 0x3632, 0x3732, 0x3832, 0x3932, 0x3033, 0x3133, 0x3233, 0x3333, 0x3433, 0x3533, 0x3633, 0x3733,
  0x3833, 0x3933, 0x3034, 0x3134, 0x3234, 0x3334, 0x3434, 0x3534, 0x3634, 0x3734, 0x3834, 0x3934, 0x3035, 0x3135, 0x3235, 0x3335, 0x3435, 0x3535, 0x3635,
  0x3735, 0x3835, 0x3935, 0x3036, 0x3136, 0x3236, 0x3336, 0x3436, 0x3536, 0x3636, 0x3736, 0x3836, 0x3936, 0x3037, 0x3137, 0x3237, 0x3337, 0x3437, 0x3537,
  0x3637, 0x3737, 0x3837, 0x3937, 0x3038, 0x3138, 0x3238, 0x3338, 0x3438, 0x3538, 0x3638, 0x3738, 0x3838, 0x3938, 0x3039, 0x3139, 0x3239, 0x3339, 0x3439,
  0x3539, 0x3639, 0x3739, 0x3839, 0x3939,
]);

/** Writes an integer's digits. Returns where they end. */
export function writeInteger(value: i64, to: usize): usize {
  if (value >= 0) return writeDigits(value, to);
  store<u8>(to, 0x2d);
  return writeDigits(0 - <u64>value, to + 1);
}

export function writeDigits(value: u64, to: usize): usize {
  const end = to + digitsOf(value);
  let at = end;
  while (value > 0xffffffff) {
    const rest = value / 100;
    at -= 2;
    store<u16>(at, load<u16>(PAIRS + ((<usize>(value - rest * 100)) << 1)));
    value = rest;
  }
  let small = <u32>value;
  while (small >= 100) {
    const rest = small / 100;
    at -= 2;
    store<u16>(at, load<u16>(PAIRS + ((small - rest * 100) << 1)));
    small = rest;
  }
  if (small >= 10) store<u16>(at - 2, load<u16>(PAIRS + (small << 1)));
  else store<u8>(at - 1, 0x30 + small);
  return end;
}

function digitsOf(value: u64): u32 {
  if (value < 100000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1000 ? 3 : value < 10000 ? 4 : 5;
  }
  if (value < 10000000000) {
    if (value < 10000000) return value < 1000000 ? 6 : 7;
    return value < 100000000 ? 8 : value < 1000000000 ? 9 : 10;
  }
  let digits: u32 = 11;
  for (let bound: u64 = 100000000000; digits < 20 && value >= bound; bound *= 10) digits++;
  return digits;
}

/** Writes a number as JavaScript does: the shortest digits that read back as the same number. It must be finite. */
export function writeNumber(value: f64, to: usize): usize {
  if (value < 0) {
    store<u8>(to++, 0x2d);
    value = -value;
  }
  if (value < 9007199254740992) {
    const whole = <u64>value;
    if (<f64>whole == value) return writeDigits(whole, to);
    // Most numbers are short decimals. So far from the limits of precision, the first that gives the value back is the shortest.
    if (value >= 0.001 && value < 1e9) {
      let scale: f64 = 10;
      for (let decimals = 1; decimals <= 5; decimals++) {
        const digits = nearest(value * scale);
        if (digits / scale == value) return writeDecimal(<u64>digits, decimals, to);
        scale *= 10;
      }
    }
  }
  return writeShortest(value, to);
}

/** Writes digits with a decimal point before the last few of them. */
function writeDecimal(digits: u64, decimals: i32, to: usize): usize {
  let scale: u64 = 10;
  for (let i = 1; i < decimals; i++) scale *= 10;
  const whole = digits / scale;
  to = writeDigits(whole, to);
  store<u8>(to, 0x2e);
  const end = to + 1 + decimals;
  let rest = <u32>(digits - whole * scale);
  for (let at = end - 1; at > to; at--) {
    const next = rest / 10;
    store<u8>(at, 0x30 + (rest - next * 10));
    rest = next;
  }
  return end;
}

/** Raffaello Giulietti's Schubfach: the shortest decimal in the interval that rounds to the value, the closest one if there are several. */
function writeShortest(value: f64, to: usize): usize {
  const bits = reinterpret<u64>(value);
  const fraction = bits & 0xfffffffffffff;
  const biased = <i32>(bits >> 52);
  const c = biased == 0 ? fraction : fraction | 0x10000000000000;
  const q = biased == 0 ? -1074 : biased - 1075;
  // Below a power of two, the interval is half as wide.
  const narrow = fraction == 0 && biased > 1;
  const k = narrow ? (q * 1262611 - 524031) >> 22 : (q * 1262611) >> 22;
  power(-k);
  const g1 = high;
  const g0 = low;
  const h = q + log2OfPower(-k) + 1;
  const odd = c & 1;
  const lower = roundToOdd(g1, g0, (4 * c - 2 + u64(narrow)) << h) + odd;
  const center = roundToOdd(g1, g0, (4 * c) << h);
  const upper = roundToOdd(g1, g0, (4 * c + 2) << h) - odd;
  const s = center / 4;
  if (s >= 10) {
    const short = s / 10;
    const downFits = lower <= 40 * short;
    const upFits = 40 * short + 40 <= upper;
    if (downFits != upFits) return writeScientific(short + u64(upFits), k + 1, to);
  }
  const downFits = lower <= 4 * s;
  const upFits = 4 * s + 4 <= upper;
  if (downFits != upFits) return writeScientific(s + u64(upFits), k, to);
  const middle = 4 * s + 2;
  return writeScientific(s + u64(center > middle || (center == middle && (s & 1) != 0)), k, to);
}

function roundToOdd(g1: u64, g0: u64, factor: u64): u64 {
  multiply(g0, factor);
  const carried = high;
  multiply(g1, factor);
  const sum = low + carried;
  return (high + u64(sum < carried)) | u64(sum > 1);
}

/** Writes digits · 10^exponent. */
function writeScientific(digits: u64, exponent: i32, to: usize): usize {
  while (digits % 10 == 0) {
    digits /= 10;
    exponent++;
  }
  const count = <i32>digitsOf(digits);
  const point = count + exponent;
  if (point > 21 || point <= -6) {
    const end = writeDigits(digits, to + 1);
    store<u8>(to, load<u8>(to, 1));
    to = end;
    if (count > 1) store<u8>(end - count, 0x2e);
    else to = end - 1;
    store<u8>(to++, 0x65);
    const shown = point - 1;
    store<u8>(to++, shown < 0 ? 0x2d : 0x2b);
    return writeDigits(abs(shown), to);
  }
  if (point <= 0) {
    store<u16>(to, 0x2e30);
    to += 2;
    for (let i = point; i < 0; i++) store<u8>(to++, 0x30);
    return writeDigits(digits, to);
  }
  if (exponent >= 0) {
    to = writeDigits(digits, to);
    for (let i = 0; i < exponent; i++) store<u8>(to++, 0x30);
    return to;
  }
  const end = writeDigits(digits, to + 1);
  for (let i = 0; i < point; i++) store<u8>(to + i, load<u8>(to + i, 1));
  store<u8>(to + point, 0x2e);
  return end;
}
