// biome-ignore-all lint/correctness/noPrecisionLoss: the language has integers of 64 bits
/** Powers of ten as 128 bits, and arithmetic on them: what reading and writing numbers needs. */

/** Exponents that the powers are known for. */
export const POWER_MIN: i32 = -343;
export const POWER_MAX: i32 = 324;

/** Every 27th power: upper and lower half. */
const base = memory.data<u64>([
  0xbf29dcaba82fdeae, 0x7432ee873880fc34, 0x9a6bb0aa55653b2d, 0x47b233c92125366f, 0xf97ae3d0d2446f25, 0x4b0573286b44ad1e, 0xc987434744ac874e,
  0xa327ffb266b56221, 0xa2cb1717b52481ed, 0x54768c4b0c64ca6f, 0x8380dea93da4bc60, 0x4247cb9e59f71e6e, 0xd47487cc8470652b, 0x7647c32000696720,
  0xab9eb47c81f5114f, 0x066ea92f3f326565, 0x8aa22c0dbef60ee4, 0x6bcdf07a423aa96c, 0xdff9772470297ebd, 0x59787e2b93bc56f8, 0xb4ecd5f01a4aa828,
  0x1e38aeb6360b1af4, 0x9226712162ab070d, 0xcab3961304ca70e9, 0xec1e4a7db69561a5, 0x2b31e9e3d06c32e6, 0xbebc200000000000, 0x0000000000000000,
  0x9a130b963a6c115c, 0x3c7f400000000000, 0xf8ebad2b84e0d58b, 0xd2e0898765a7deb3, 0xc913936dd571c84c, 0x03bc3a19cd1e38ea, 0xa26da3999aef7749,
  0xe3be5e330f38f09e, 0x8335616aed761f1f, 0x7f44e6bd49e807b9, 0xd3fa922f2d1675f2, 0x42889b8997915ce9, 0xab3c2fddeeaad25a, 0xd527e81cad7626c4,
  0x8a5296ffe33cc92f, 0x82bd6b70d99aaa70, 0xdf78e4b2bd342cf6, 0x914da9246b255417, 0xb484f9dc9641e9da, 0xb1f9f660802dedf7, 0x91d28b7416cdd27e,
  0x4cdc331d57fa5442,
]);
/** Powers of five up to the 26th. */
const fives = memory.data<u64>([
  1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125, 152587890625, 762939453125,
  3814697265625, 19073486328125, 95367431640625, 476837158203125, 2384185791015625, 11920928955078125, 59604644775390625, 298023223876953125,
  1490116119384765625,
]);
/** By how much the power made of the two is too large, in two bits each. */
const excess = memory.data<u32>([
  0x45505558, 0x00155555, 0x40000041, 0x00000540, 0x00000000, 0x54154510, 0x54145140, 0x55545655, 0x55512456, 0x55451155, 0x51455541, 0x11555454, 0x15415500,
  0x45544454, 0x59555655, 0x55551105, 0x44451450, 0x50011554, 0x15910515, 0x55505555, 0x15545055, 0x15555455, 0x55555555, 0x55455555, 0x15555555, 0x44000000,
  0x04051154, 0x00151404, 0x00040040, 0x00040001, 0x55564110, 0x65655965, 0x04104041, 0x04000501, 0x04040000, 0x41050040, 0x15000100, 0x54001000, 0x10510000,
  0x15145105, 0x00105400, 0x00000010,
]);

/** The halves of the last power or product. */
export let high: u64 = 0;
export let low: u64 = 0;

/** Rounded down: the logarithm to base 2 of 10^k. */
export function log2OfPower(k: i32): i32 {
  return (k * 1741647) >> 19;
}

/** Sets `high` and `low` to 10^k, scaled so that its highest bit is set and rounded up. */
export function power(k: i32): void {
  const index = k - POWER_MIN;
  const row = index / 27;
  const offset = index - row * 27;
  const upper = load<u64>(base + (row << 4));
  const lower = load<u64>(base + (row << 4), 8);
  if (offset == 0) {
    high = upper;
    low = lower;
    return;
  }
  const five = load<u64>(fives + (offset << 3));
  const shift = log2OfPower(k) - log2OfPower(k - offset) - offset;
  multiply(lower, five);
  const carried = high;
  const rest = low;
  multiply(upper, five);
  const middle = low + carried;
  const top = high + u64(middle < carried);
  high = (top << (64 - shift)) | (middle >> shift);
  const bottom = ((middle << (64 - shift)) | (rest >> shift)) + 1;
  const over = <u64>((load<u32>(excess + ((index >> 4) << 2)) >> ((index & 15) << 1)) & 3);
  if (bottom < over) high -= 1;
  low = bottom - over;
}

/** Sets `high` and `low` to the product. */
export function multiply(a: u64, b: u64): void {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const p00 = a0 * b0;
  const p01 = a0 * b1;
  const p10 = a1 * b0;
  const middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
  low = (middle << 32) | (p00 & 0xffffffff);
  high = a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
}
