// biome-ignore-all lint/correctness/noPrecisionLoss: the language has integers of 64 bits
import { high, log2OfPower, low, multiply, POWER_MAX, POWER_MIN, power } from './powers';

const POWERS = memory.data<f64>([1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]);
/** More digits than these cannot decide between two numbers, but for whether there is a further one at all. */
const DIGITS_MAX: i32 = 770;
const WORDS: usize = 320;
const INFINITE: u64 = 0x7ff0000000000000;

/** What follows of a JSON number after its first digits. */
let exponent: i32 = 0;
let cut: bool = false;

/** The value of a number in JSON's grammar: the nearest f64, as JavaScript reads it. */
export function readNumber(start: usize, end: usize): f64 {
  const negative = load<u8>(start) == 0x2d;
  const first = start + usize(negative);
  const digits = readDigits(first, end);
  let bits: u64 = 0;
  if (digits != 0) {
    if (!cut && digits <= 0x20000000000000) {
      if (exponent == 0) return negative ? -(<f64>digits) : <f64>digits;
      if (exponent >= -22 && exponent <= 22) {
        const scale = load<f64>(POWERS + (abs(exponent) << 3));
        const value = exponent < 0 ? <f64>digits / scale : <f64>digits * scale;
        return negative ? -value : value;
      }
    }
    if (exponent > POWER_MAX) bits = INFINITE;
    else if (exponent >= POWER_MIN) bits = readHard(digits, first, end);
  }
  return reinterpret<f64>(bits | (u64(negative) << 63));
}

/** The first 19 digits; sets `exponent` to theirs and `cut` when others follow that are not zero. */
function readDigits(at: usize, end: usize): u64 {
  let digits: u64 = 0;
  let shift: i32 = 0;
  cut = false;
  let fraction: i32 = 0;
  while (at < end) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit < 10) {
      if (digits < 1000000000000000000) {
        digits = digits * 10 + digit;
        shift -= fraction;
      } else {
        if (digit != 0) cut = true;
        shift += 1 - fraction;
      }
    } else if (digit == 0x2e - 0x30) fraction = 1;
    else {
      shift += readExponent(at + 1, end);
      break;
    }
    at++;
  }
  exponent = shift;
  return digits;
}

function readExponent(at: usize, end: usize): i32 {
  const sign = load<u8>(at);
  if (sign == 0x2d || sign == 0x2b) at++;
  let value: i32 = 0;
  for (; at < end; at++) if (value < 100000000) value = value * 10 + (<i32>load<u8>(at) - 0x30);
  return sign == 0x2d ? -value : value;
}

/** Bits of digits · 10^exponent. The powers are rounded up, so that the value lies between two bounds, which nearly always give the same bits. */
function readHard(digits: u64, first: usize, end: usize): u64 {
  const below = bound(digits, exponent, true);
  const above = bound(digits + u64(cut), exponent, false);
  return below == above ? below : compare(below, first, end);
}

function bound(digits: u64, e: i32, below: bool): u64 {
  const zeros = clz(digits);
  const w = digits << zeros;
  power(e);
  const g1 = high;
  multiply(w, low);
  let bottom = low;
  const carried = high;
  multiply(w, g1);
  let middle = low + carried;
  let top = high + u64(middle < carried);
  if (below) {
    if (bottom < w) {
      if (middle == 0) top -= 1;
      middle -= 1;
    }
    bottom -= w;
  }
  return round(top, (middle | bottom) != 0, log2OfPower(e) + 1 - <i32>zeros);
}

/** Bits of (value + something below 1, if there is a rest) · 2^e. */
function round(value: u64, rest: bool, e: i32): u64 {
  const zeros = <i32>clz(value);
  value <<= zeros;
  const top = e - zeros + 63;
  if (top > 1023) return INFINITE;
  const shift = top >= -1022 ? 11 : 11 - 1022 - top;
  if (shift > 64) return 0;
  const kept = shift == 64 ? 0 : value >> shift;
  const half = (<u64>1) << (shift - 1);
  const dropped = shift == 64 ? value : value & ((half << 1) - 1);
  const up = u64(dropped > half || (dropped == half && (rest || (kept & 1) != 0)));
  // A carry into the exponent makes the next power of two, or infinity.
  return top >= -1022 ? ((<u64>(top + 1022)) << 52) + kept + up : kept + up;
}

/** Exactly: is the number above the middle between the candidate and its successor? */
function compare(candidate: u64, first: usize, end: usize): u64 {
  const biased = <i32>(candidate >> 52);
  const fraction = candidate & 0xfffffffffffff;
  const mantissa = (biased == 0 ? fraction : fraction | 0x10000000000000) * 2 + 1;
  const left = new Big();
  const right = new Big();
  right.multiplyAdd(1, <u32>(mantissa >> 32));
  right.shiftLeft(32);
  right.multiplyAdd(1, <u32>mantissa);
  const e = left.readDigits(first, end);
  (e < 0 ? right : left).multiplyByPowerOfFive(abs(e));
  const twos = e - (biased == 0 ? -1075 : biased - 1076);
  if (twos > 0) left.shiftLeft(twos);
  else right.shiftLeft(-twos);
  const order = left.compare(right);
  return candidate + u64(order > 0 || (order == 0 && (candidate & 1) != 0));
}

/** A large integer: 32 bits a word, the lowest first. */
@unmanaged
class Big {
  words: usize = heap.alloc(WORDS << 2);
  size: usize = 0;

  multiplyAdd(factor: u32, summand: u32): void {
    let carry = <u64>summand;
    for (let i: usize = 0; i < this.size; i++) {
      const at = this.words + (i << 2);
      carry += <u64>load<u32>(at) * factor;
      store<u32>(at, <u32>carry);
      carry >>= 32;
    }
    if (carry) store<u32>(this.words + (this.size++ << 2), <u32>carry);
  }

  multiplyByPowerOfFive(power: i32): void {
    for (; power >= 13; power -= 13) this.multiplyAdd(1220703125, 0);
    for (; power > 0; power--) this.multiplyAdd(5, 0);
  }

  shiftLeft(bits: i32): void {
    for (let rest = bits & 31; rest > 0; rest = 0) this.multiplyAdd((<u32>1) << rest, 0);
    const words = <usize>(bits >> 5);
    memory.copy(this.words + (words << 2), this.words, this.size << 2);
    memory.fill(this.words, 0, words << 2);
    this.size += words;
  }

  /** All digits that can matter. Returns the exponent of ten of the last one. */
  readDigits(at: usize, end: usize): i32 {
    let shift: i32 = 0;
    let count: i32 = 0;
    let more: bool = false;
    let fraction: i32 = 0;
    for (; at < end; at++) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit < 10) {
        if (count < DIGITS_MAX) {
          this.multiplyAdd(10, digit);
          if (this.size) count++;
          shift -= fraction;
        } else {
          if (digit != 0) more = true;
          shift += 1 - fraction;
        }
      } else if (digit == 0x2e - 0x30) fraction = 1;
      else {
        shift += readExponent(at + 1, end);
        break;
      }
    }
    if (more) {
      this.multiplyAdd(10, 1);
      shift--;
    }
    return shift;
  }

  compare(other: Big): i32 {
    if (this.size != other.size) return this.size > other.size ? 1 : -1;
    for (let i = this.size; i > 0; i--) {
      const a = load<u32>(this.words + (i << 2) - 4);
      const b = load<u32>(other.words + (i << 2) - 4);
      if (a != b) return a > b ? 1 : -1;
    }
    return 0;
  }
}

/** Whether the last number read by `readInteger` is an integer that fits. */
export let isInteger: bool = false;

/** The value of a number in JSON's grammar, if it is an integer from -2^63 up to but not 2^63; sets `isInteger`. */
export function readInteger(start: usize, end: usize): i64 {
  const negative = load<u8>(start) == 0x2d;
  let value: u64 = 0;
  isInteger = true;
  for (let at = start + usize(negative); at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit >= 10) return readWhole(readNumber(start, end));
    if (value > 922337203685477580) {
      isInteger = false;
      return 0;
    }
    value = value * 10 + digit;
  }
  if (value > 0x7fffffffffffffff + u64(negative)) isInteger = false;
  return negative ? 0 - <i64>value : <i64>value;
}

/** Such as 1.0 and 1e3. */
function readWhole(value: f64): i64 {
  isInteger = trunc(value) == value && abs(value) <= 9007199254740992;
  return isInteger ? <i64>value : 0;
}
