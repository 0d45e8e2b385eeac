import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@vrsky/testkit/eventually';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, test } from 'vitest';
import { createSeenBook, type SeenIds } from './seen-ids.ts';

interface Told {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

/** A process's book, and the shelf of one connection in it. */
async function open(dir: string, windowMs = 60_000) {
  const told: Told[] = [];
  let unwritten = 0;
  const book = createSeenBook({
    dir,
    log: (level, message, fields = {}) => told.push({ level, message, fields }),
    onUnwritten: () => unwritten++,
    times: { retryMs: 20 },
  });
  await book.load();
  const seen = book.open({ connectionId: 'pip/src', kind: 'scheme' }, windowMs);
  return { book, seen, told, unwritten: () => unwritten };
}

/** As the source does it: resolves when the sender may hear of it. */
function store(seen: SeenIds, id: string, messageIds = [`msg_${id}`], nowMs = Date.now()): Promise<void> {
  const key = seen.keyOf(id);
  if (seen.find(key, nowMs) !== null) throw new Error(`${id} is known already`);
  return new Promise((resolve) => seen.settle(key, messageIds, nowMs, resolve));
}
const known = (seen: SeenIds, id: string): readonly string[] | null => {
  const found = seen.find(seen.keyOf(id), Date.now());
  return found?.state === 'stored' ? found.messageIds : null;
};
const filesOf = (dir: string) => readdirSync(dir).map((name) => join(dir, name));
const textOf = (dir: string) =>
  filesOf(dir)
    .map((file) => readFileSync(file, 'latin1'))
    .join('');

test('what a sender was told of, the next process knows; the id itself is nowhere on the disk', async () => {
  const dir = join(scratchDir('seen'), 'made');
  const first = await open(dir);
  await Promise.all([store(first.seen, 'order-7'), store(first.seen, 'lines', ['msg_1', 'msg_2']), store(first.seen, 'none', [])]);
  const { seen, told } = await open(dir);
  expect([known(seen, 'order-7'), known(seen, 'lines'), known(seen, 'none'), known(seen, 'other')]).toEqual([['msg_order-7'], ['msg_1', 'msg_2'], [], null]);
  expect(told).toEqual([]);
  expect(textOf(dir).replaceAll('msg_order-7', '')).not.toContain('order-7');
  expect(statSync(filesOf(dir)[0] as string).mode & 0o077).toBe(0);
});

test('all that settle in one moment share a write', async () => {
  const dir = scratchDir('seen');
  const { seen } = await open(dir);
  const order: string[] = [];
  await Promise.all(['a', 'b', 'c'].map((id) => store(seen, id).then(() => order.push(`${id} ${textOf(dir).split('\n').length - 1}`))));
  expect(order).toEqual(['a 3', 'b 3', 'c 3']);
});

test('the window goes on over a restart, and ends', async () => {
  const dir = scratchDir('seen');
  const first = await open(dir, 1_000);
  await store(first.seen, 'old', ['msg_old'], Date.now() - 1_000);
  await store(first.seen, 'new');
  const { seen } = await open(dir, 1_000);
  expect([known(seen, 'old'), known(seen, 'new')]).toEqual([null, ['msg_new']]);
});

test('a torn tail, a flipped byte and a file of something else are left out with a word, and nothing else is', async () => {
  const dir = scratchDir('seen');
  for (const id of ['a', 'b', 'c']) await store((await open(dir)).seen, id);
  const [first, second] = filesOf(dir).sort() as [string, string];
  appendFileSync(first, readFileSync(first).subarray(0, 40)); // a crash in the middle of a write
  const text = readFileSync(second, 'latin1');
  writeFileSync(second, text.replace('msg_b', 'msg_x'), 'latin1');
  writeFileSync(join(dir, 'seen-9.log'), Buffer.from([0, 255, 10, 0]));
  writeFileSync(join(dir, 'notes.txt'), 'mine');
  mkdirSync(join(dir, 'seen-10.log'));
  const { seen, told } = await open(dir);
  expect([known(seen, 'a'), known(seen, 'b'), known(seen, 'c')]).toEqual([['msg_a'], null, ['msg_c']]);
  expect(told.map(({ fields }) => fields)).toEqual([{ lines: 4 }, { reason: expect.stringContaining('EISDIR') }]);
  seen.settle(seen.keyOf('b'), ['msg_b2'], Date.now(), () => undefined);
  await eventually(async () => known((await open(dir)).seen, 'b')?.[0] === 'msg_b2');
  expect(readFileSync(join(dir, 'notes.txt'), 'utf8')).toBe('mine');
});

test('the files stay within bounds, whatever comes and goes: what is dead is left behind, what lives is still known', async () => {
  const dir = scratchDir('seen');
  const { seen } = await open(dir);
  const rounds = 8;
  for (let round = 0; round < rounds; round++) await Promise.all(Array.from({ length: 10_000 }, (_, i) => store(seen, `${round} ${i}`, ['msg_1'])));
  await eventually(() => textOf(dir).split('\n').length < 50_000);
  const again = (await open(dir)).seen;
  expect(known(again, `${rounds - 1} 0`)).toEqual(['msg_1']);
}, 30_000);

test('many restarts leave few files', async () => {
  const dir = scratchDir('seen');
  for (let i = 0; i < 20; i++) await store((await open(dir)).seen, String(i));
  await eventually(() => filesOf(dir).length <= 9);
  const { seen } = await open(dir);
  for (let i = 0; i < 20; i++) expect(known(seen, String(i))).toEqual([`msg_${i}`]);
});

test('a disk that takes nothing holds up nobody: it is told once, ids stay in memory, and all are written when it works again', async () => {
  const dir = scratchDir('seen');
  const away = join(dir, 'folder');
  symlinkSync(join(dir, 'nowhere', 'deeper'), away);
  const { seen, told, unwritten } = await open(away);
  for (const id of ['a', 'b', 'c']) await store(seen, id);
  expect([known(seen, 'a'), unwritten(), told.filter(({ message }) => message.includes('in memory alone')).length]).toEqual([['msg_a'], 3, 1]);
  for (let i = 0; i < 5_000; i++) await store(seen, `before ${i}`, ['msg_1']);
  rmSync(away);
  mkdirSync(away);
  const ids = ['a', 'b', 'c', 'before 4999'];
  // What comes while the others are written is written as well.
  while (!told.some(({ level, message }) => level === 'info' && message.includes('again'))) {
    ids.push(`while ${ids.length}`);
    await store(seen, ids.at(-1) as string);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const next = (await open(away)).seen;
  expect(ids.filter((id) => known(next, id) === null)).toEqual([]);
});
