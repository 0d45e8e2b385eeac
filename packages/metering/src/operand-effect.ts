/** By how much an instruction changes the height of the operand stack. Control and calls are not here: their effect depends on types. */
export const operandEffect: Int8Array = new Int8Array(256);

function set(effect: number, ...ranges: [number, number][]): void {
  for (const [first, last] of ranges) operandEffect.fill(effect, first, last + 1);
}

set(-1, [0x1a, 0x1a], [0x21, 0x21], [0x24, 0x24]);
set(-2, [0x1b, 0x1c], [0x26, 0x26], [0x36, 0x3e]);
set(1, [0x20, 0x20], [0x23, 0x23], [0x3f, 0x3f], [0x41, 0x44], [0xd0, 0xd0], [0xd2, 0xd2]);
// Comparisons and arithmetic of two operands: i32, i64, f32, f64.
set(-1, [0x46, 0x4f], [0x51, 0x66], [0x6a, 0x78], [0x7c, 0x8a], [0x92, 0x98], [0xa0, 0xa6]);

/** The same for what follows 0xfc. */
export const prefixedEffect: Int8Array = Int8Array.from([0, 0, 0, 0, 0, 0, 0, 0, -3, 0, -3, -3, -3, 0, -3, -1, 1, -3]);

/** The same for SIMD, which follows 0xfd. Most take two vectors and give one; these take one, or something else. */
export const simdEffect: Int8Array = new Int8Array(256).fill(-1);

const unary: [number, number][] = [
  [0, 10],
  [15, 22],
  [24, 25],
  [27, 27],
  [29, 29],
  [31, 31],
  [33, 33],
  [77, 77],
  [83, 83],
  [92, 100],
  [103, 106],
  [116, 117],
  [122, 122],
  [124, 129],
  [131, 132],
  [135, 138],
  [148, 148],
  [160, 161],
  [163, 164],
  [167, 170],
  [192, 193],
  [195, 196],
  [199, 202],
  [224, 227],
  [236, 239],
  [248, 255],
];
for (const [first, last] of unary) simdEffect.fill(0, first, last + 1);
simdEffect[11] = -2;
simdEffect[12] = 1;
simdEffect[82] = -2;
simdEffect.fill(-2, 88, 92);
