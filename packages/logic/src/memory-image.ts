/** A module's whole memory at a moment, to be put back before each message. */
export interface MemoryImage {
  /** What is in memory, in order; all else is zero. */
  runs: { at: number; bytes: Uint8Array }[];
  length: number;
}

/** Grain of what is left out as zero. */
const chunkBytes = 1_024;

/** Its length is a whole number of pages. */
export function takeImage(memory: Uint8Array): MemoryImage {
  const words = new Int32Array(memory.buffer, memory.byteOffset, memory.length >> 2);
  const runs: MemoryImage['runs'] = [];
  let from = -1;
  for (let at = 0; at <= memory.length; at += chunkBytes) {
    const isZero = at === memory.length || isAllZero(words, at >> 2, (at + chunkBytes) >> 2);
    if (!isZero && from < 0) from = at;
    if (isZero && from >= 0) {
      runs.push({ at: from, bytes: memory.slice(from, at) });
      from = -1;
    }
  }
  return { runs, length: memory.length };
}

export function putImage(image: MemoryImage, memory: Uint8Array): void {
  let clean = 0;
  for (const { at, bytes } of image.runs) {
    if (at > clean) memory.fill(0, clean, at);
    memory.set(bytes, at);
    clean = at + bytes.length;
  }
  if (memory.length > clean) memory.fill(0, clean, memory.length);
}

function isAllZero(words: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (words[i] !== 0) return false;
  return true;
}
