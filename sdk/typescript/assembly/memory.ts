/**
 * The step's memory, in place of the language's managers: it is given out from its start and never taken back, because all of it is put back
 * before the next message. What was given out last can grow and shrink where it is.
 *
 * Before each block are two words of the language: the number of its class, and its size.
 */
import { stop } from './host';

const HEADER: usize = 8;
const PAGE: usize = 65536;
/** Memory may be read that much beyond a block. */
const BEYOND: usize = 32;
const BLOCK_MAX: usize = 0x3fffffff;

/** What is given out next. Neither is known before the first block. */
let offset: usize = 0;
/** Up to where there is memory. */
let limit: usize = 0;

export function __new(size: usize, id: u32): usize {
  let block = offset + HEADER;
  let end = (block + size + 7) & ~7;
  if (end > limit) {
    grow(size);
    block = offset + HEADER;
    end = (block + size + 7) & ~7;
  }
  offset = end;
  store<u32>(block - HEADER, id);
  store<u32>(block - HEADER, size, 4);
  return block;
}

/** Makes room for a block behind what was given out. */
function grow(size: usize): void {
  if (offset == 0) offset = (__heap_base + 7) & ~7;
  const pages = <usize>memory.size();
  limit = pages * PAGE - BEYOND;
  const end = offset + HEADER + size + 7;
  if (size <= BLOCK_MAX && end <= limit) return;
  const wanted = (end - limit + PAGE - 1) / PAGE;
  // By more than is needed, so that it happens rarely. The platform sets the bound.
  if (size > BLOCK_MAX || (memory.grow(<i32>max(wanted, pages >> 2)) < 0 && memory.grow(<i32>wanted) < 0)) stop('The step needs more memory than it may have');
  limit = <usize>memory.size() * PAGE - BEYOND;
}

export function __renew(block: usize, size: usize): usize {
  const before = <usize>load<u32>(block - HEADER, 4);
  if (((block + before + 7) & ~7) == offset) {
    offset = block - HEADER;
    return __new(size, load<u32>(block - HEADER));
  }
  if (size > before) {
    const moved = __new(size, load<u32>(block - HEADER));
    memory.copy(moved, block, before);
    return moved;
  }
  store<u32>(block - HEADER, size, 4);
  return block;
}

export function __alloc(size: usize): usize {
  return __new(size, 0);
}

export function __realloc(block: usize, size: usize): usize {
  return __renew(block, size);
}

export function __free(block: usize): void {
  if (((block + <usize>load<u32>(block - HEADER, 4) + 7) & ~7) == offset) offset = block - HEADER;
}

export function __link(_parent: usize, _child: usize, _several: bool): void {}

export function __pin(block: usize): usize {
  return block;
}

export function __unpin(_block: usize): void {}

export function __visit(_block: usize, _cookie: u32): void {}

export function __collect(): void {}
