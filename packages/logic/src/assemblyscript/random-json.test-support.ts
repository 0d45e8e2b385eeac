/** Random JSON documents, the same ones for the same seed. */
export interface Random {
  below(n: number): number;
  pick<T>(choices: readonly T[]): T;
  bits64(): bigint;
}

export function createRandom(seed: number): Random {
  let state = BigInt(seed) | 1n;
  const bits64 = (): bigint => {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    return state;
  };
  const below = (n: number): number => Number((bits64() >> 11n) % BigInt(n));
  return { bits64, below, pick: (choices) => choices[below(choices.length)] as (typeof choices)[number] };
}

const pieces = [
  'a',
  'Z',
  ' ',
  '"',
  '\\',
  '/',
  '\n',
  '\r',
  '\t',
  '\b',
  '\f',
  '\0',
  '\x1f',
  '\x7f',
  'é',
  'ß',
  '€',
  '\u2028',
  '\ud83d\ude00',
  '\ud83d',
  '\ude00',
  '日本',
  'abcdefgh',
  '0123456789abcdef',
];

function randomText(random: Random): string {
  let text = '';
  for (let left = random.below(random.below(4) === 0 ? 40 : 8); left > 0; left--) text += random.pick(pieces);
  return text;
}

function floatOf(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0] as number;
}

function randomNumber(random: Random): number {
  const kind = random.below(5);
  if (kind === 0) return random.below(1000);
  if (kind === 1) return random.below(1_000_000) / random.pick([10, 100, 1000, 3]);
  if (kind === 2) return -random.below(2 ** 45);
  const value = floatOf(random.bits64());
  return Number.isFinite(value) ? value : 0;
}

export function randomValue(random: Random, depth: number): unknown {
  const kind = random.below(depth === 0 ? 5 : 8);
  if (kind === 0) return null;
  if (kind === 1) return random.below(2) === 0;
  if (kind === 2) return randomNumber(random);
  if (kind <= 4) return randomText(random);
  const count = random.below(random.below(6) === 0 ? 20 : 5);
  if (kind === 5) return Array.from({ length: count }, () => randomValue(random, depth - 1));
  // A key that is an index would be moved to the front by JavaScript.
  return Object.fromEntries(Array.from({ length: count }, () => [`k${randomText(random)}`, randomValue(random, depth - 1)]));
}

/** A number as someone may write it: from random bits, with few or very many digits, or close to the middle between two of them. */
export function randomNumberText(random: Random): string {
  const kind = random.below(6);
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join('');
  const first = 1 + random.below(9);
  if (kind === 0) return `${first}.${digits(1 + random.below(30))}e${random.below(660) - 340}`;
  if (kind === 1) return `${first}${digits(random.below(25))}`;
  if (kind === 2) return `${random.below(2) === 0 ? '-' : ''}${random.below(100_000)}.${digits(1 + random.below(8))}`;
  const bits = random.bits64() & 0x7fffffffffffffffn;
  const value = floatOf(bits);
  if (!Number.isFinite(value)) return '0';
  if (kind === 3) return String(value);
  if (kind === 4) return value.toPrecision(1 + random.below(17));
  return middleAbove(bits, random.pick(['', '0000000001', '1']));
}

/** Exactly half way to the next number, or just above it. */
function middleAbove(bits: bigint, more: string): string {
  const biased = Number(bits >> 52n);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = (biased === 0 ? fraction : fraction | 0x10000000000000n) * 2n + 1n;
  const exponent = (biased === 0 ? -1074 : biased - 1075) - 1;
  if (exponent >= 0) return `${mantissa << BigInt(exponent)}${more === '' ? '' : `.${more}`}`;
  return `${mantissa * 5n ** BigInt(-exponent)}${more}e${exponent - more.length}`;
}
