import { expect, test } from 'vitest';
import { createRoom, loadOf } from './room.ts';

const limits = { loadMax: 2_048, packsMax: 512, loadFirst: 256 };

test('it begins as if a long queue of full packs waited, and opens up when packs are small', () => {
  const room = createRoom(limits);
  expect(room.packsMax({ packs: 0, load: 0 })).toBe(8);
  for (let i = 0; i < 100; i++) room.expect(1);
  expect(room.packsMax({ packs: 0, load: 0 })).toBe(512);
});

test('with the whole load open no more packs are taken, and as messages end there is room again', () => {
  const room = createRoom(limits);
  expect(room.packsMax({ packs: 8, load: 2_048 })).toBe(8);
  expect(room.packsMax({ packs: 8, load: 1_024 })).toBe(12);
});

test('one pack always goes on', () => {
  expect(createRoom({ loadMax: 10, packsMax: 4, loadFirst: 256 }).packsMax({ packs: 0, load: 0 })).toBe(1);
});

test('large messages weigh more than one', () => {
  expect(loadOf(256, 256 * 1_024)).toBe(256);
  expect(loadOf(1, 1_048_576)).toBe(64);
});
