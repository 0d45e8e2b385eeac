import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createBatcher, FRAME_BYTES_MAX } from './batcher.ts';

function line(): { frames: number[][]; open: boolean; write: (items: number[]) => boolean } {
  const state = {
    frames: [] as number[][],
    open: true,
    write(items: number[]): boolean {
      state.frames.push(items);
      return state.open;
    },
  };
  return state;
}

test('what comes in one turn leaves in one frame at the end of that turn', async () => {
  const { frames, write } = line();
  const batcher = createBatcher<number>(write);
  batcher.add(1, 1);
  batcher.add(2, 1);
  expect(frames).toEqual([]);
  await turn();
  expect(frames).toEqual([[1, 2]]);
});

test('a full line gathers until it takes more', async () => {
  const state = line();
  const batcher = createBatcher<number>(state.write);
  state.open = false;
  batcher.add(1, 1);
  await turn();
  batcher.add(2, 1);
  await turn();
  batcher.add(3, 1);
  await turn();
  expect(state.frames).toEqual([[1]]);
  state.open = true;
  batcher.resume();
  await turn();
  expect(state.frames).toEqual([[1], [2, 3]]);
});

test('a frame has at most 256 items', async () => {
  const { frames, write } = line();
  const batcher = createBatcher<number>(write);
  for (let i = 0; i < 600; i++) batcher.add(i, 1);
  await turn();
  expect(frames.map((frame) => frame.length)).toEqual([256, 256, 88]);
  expect(frames.flat()).toEqual(Array.from({ length: 600 }, (_, i) => i));
});

test('a frame has at most 1 MiB, except one that is a single larger item', async () => {
  const { frames, write } = line();
  const batcher = createBatcher<number>(write);
  batcher.add(1, 600_000);
  batcher.add(2, 600_000);
  batcher.add(3, FRAME_BYTES_MAX + 1);
  batcher.add(4, 1);
  await turn();
  expect(frames).toEqual([[1], [2], [3], [4]]);
});

test('cleared, it gives back what was not written and writes nothing more', async () => {
  const { frames, write } = line();
  const batcher = createBatcher<number>(write);
  batcher.add(1, 1);
  expect(batcher.clear()).toEqual([1]);
  await turn();
  expect(frames).toEqual([]);
});
