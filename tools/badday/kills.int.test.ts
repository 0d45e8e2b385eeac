import { limits } from '@vrsky/contracts/limits';
import { streamNames, subjects } from '@vrsky/contracts/subjects';
import { eventually } from '@vrsky/testkit/eventually';
import type { BinRequest } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Load, type Sent, startLoad } from './load.ts';
import { type ConnectorRole, type Platform, START_MS, startPlatform } from './platform.ts';
import { type Random, seededRandom, shuffled } from './random.ts';
import type { Inbox } from './receiver.ts';
import type { Pipeline } from './tenant.ts';

// Under load, process after process is killed as a crash would, in an order that a seed decides. The console is away meanwhile: no
// message and no restart needs it.

const SEED = 53;

/** What is in a message decides its way; these are the ways, and where each has to end. */
const ends = { plain: 'delivered', flaky: 'delivered', drop: 'filtered', poison: 'dead_lettered', refused: 'dead_lettered' } as const;
type Kind = keyof typeof ends;
const kinds = Object.keys(ends) as Kind[];
/** Of ten messages in a row. */
const mix: Kind[] = ['plain', 'plain', 'plain', 'plain', 'plain', 'plain', 'flaky', 'drop', 'poison', 'refused'];

const steps = [
  {
    id: 'work',
    kind: 'convert',
    source: `export default function (message: Message) {
  const order = message.json() as { name: string; kind: string };
  if (order.kind === 'poison') throw new Error('poisonous');
  return { ...order, seen: true };
}`,
  },
  { id: 'keep', kind: 'filter', source: `export default (message: Message) => (message.json().kind === 'drop' ? 'not wanted' : true);` },
] as const;

let platform: Platform;
let inbox: Inbox;
let pipeline: Pipeline;

beforeAll(async () => {
  platform = await startPlatform();
  inbox = platform.receiver.at('orders');
  // A flaky message is refused at its first attempt, so that it waits in the retry lane while something dies.
  const seen = new Set<string>();
  inbox.behave(({ body, headers }) => {
    const { kind } = JSON.parse(body.toString()) as { kind: Kind };
    if (kind === 'refused') return { status: 400, body: 'no such customer' };
    const key = String(headers['idempotency-key']);
    const isFirst = !seen.has(key);
    seen.add(key);
    return kind === 'flaky' && isFirst ? { status: 503, body: 'come again' } : {};
  });
  pipeline = await platform.acme.publish({
    name: 'Orders under fire',
    steps: [...steps],
    to: { out: { url: inbox.url, retry: { attempts: 10, initialMs: 300, maxMs: 1_000 } } },
  });
}, START_MS);
afterAll(() => platform?.[Symbol.asyncDispose]());
beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(platform.logs())));

type Victim = 'node' | ConnectorRole | 'nats' | 'node and nats';

/** Kills, and starts again what does not come back by itself; resolves when it is there again. */
async function kill(victim: Victim): Promise<void> {
  const { parts } = platform.stack;
  if (victim === 'source' || victim === 'destination') {
    const killed = await connectorOtherThan(null, victim);
    process.kill(killed, 'SIGKILL');
    await connectorOtherThan(killed, victim);
    return;
  }
  const killed = victim === 'node and nats' ? [parts.node, parts.nats] : [parts[victim]];
  await Promise.all(killed.map((part) => part.kill()));
  for (const part of killed.toReversed()) await part.start();
}

function connectorOtherThan(pid: number | null, role: ConnectorRole): Promise<number> {
  const find = (): number | false => {
    const found = platform.connectorPid(role);
    return found === null || found === pid ? false : found;
  };
  return eventually(find, { timeoutMs: 60_000, what: `a connector process for the ${role}` }) as Promise<number>;
}

test(`whatever is killed, every accepted message ends once, as it should (seed ${SEED})`, { timeout: 240_000 }, async ({ annotate }) => {
  const { acme, stack } = platform;
  await stack.parts.console.stop();
  const random = seededRandom(SEED);
  const victims = shuffled<Victim>(['node', 'node', 'source', 'source', 'destination', 'destination', 'nats', 'nats', 'node and nats'], random);
  const load = startLoad({ url: pipeline.ingestUrl, perSecond: 300, senders: 40, kindOf: (number) => mix[number % mix.length] as Kind });
  const kills = await killOneAfterTheOther(victims, load, random);
  await load.more(200);
  await load.stop();

  await stack.parts.console.start();
  const rows = await eventually(
    async () => {
      const list = await acme.messages(pipeline);
      const found = new Map(list.map((row) => [row.id, row]));
      if (found.size !== list.length) throw new Error('a message is in the list twice');
      const open = load.accepted().filter(({ messageId }) => !isOver(found.get(messageId as string)?.state));
      if (open.length > 0) throw new Error(`${open.length} of ${load.accepted().length} have no outcome: ${JSON.stringify(open.slice(0, 3))}`);
      if ([...found.values()].some(({ state }) => !isOver(state))) throw new Error('some that nobody heard about are still under way');
      return found;
    },
    { timeoutMs: 90_000, everyMs: 500, what: 'an outcome of every accepted message' },
  );

  // The trail says of each what its content decides, and says it once.
  const accepted = load.accepted();
  expect(new Set(accepted.map(({ messageId }) => messageId)).size).toBe(accepted.length);
  expect(accepted.filter(({ messageId, kind }) => rows.get(messageId as string)?.state !== ends[kind as Kind])).toEqual([]);
  for (const kind of kinds) expect(accepted.filter((sent) => sent.kind === kind).length, kind).toBeGreaterThan(10);

  // The receiver saw what the trail says, no more and no less, and nothing that nobody sent.
  const arrived = new Set(inbox.requests().map(({ headers }) => messageIdOf(headers)));
  expect([...rows.values()].filter(({ id, state }) => state === 'delivered' && !arrived.has(id))).toEqual([]);
  expect([...arrived].filter((id) => !['delivered', 'dead_lettered'].includes(rows.get(id)?.state ?? 'unknown'))).toEqual([]);
  const names = new Map(load.sent.map((sent) => [sent.name, sent]));
  const strange = inbox
    .requests()
    .map(nameOf)
    .filter((name) => !mayArrive(names.get(name)));
  expect(strange).toEqual([]);

  // Each dead letter is kept once, and nothing was set aside as foreign or is left waiting.
  const letters = await acme.deadLetters(pipeline);
  const dead = [...rows.values()].filter(({ state }) => state === 'dead_lettered').map(({ id }) => id);
  expect(letters.map(({ messageId }) => messageId).toSorted()).toEqual(dead.toSorted());
  expect(await stored(streamNames.dlq, subjects.dlq(pipeline.id))).toBe(dead.length);
  expect(await stored(streamNames.dlq, subjects.quarantine(pipeline.id))).toBe(0);
  await eventually(async () => (await stored(streamNames.retry, subjects.retry(pipeline.id))) === 0, { what: 'an empty retry lane' });

  // Twice is allowed, but only for what was on its way when something died.
  const repeated = repeatsOf(inbox);
  const unexplained = repeated.filter(({ firstMs, lastMs }) => !kills.some(({ fromMs, toMs }) => firstMs <= toMs + LATE_MS && lastMs >= fromMs));
  expect(unexplained, JSON.stringify(kills)).toEqual([]);
  const extra = repeated.reduce((sum, { times }) => sum + times - 1, 0);
  expect(extra).toBeLessThanOrEqual(kills.length * limits.inFlightPerPipelineMax);
  const heard = (what: Sent['heard']) => load.sent.filter((sent) => sent.heard === what).length;
  await annotate(
    `${accepted.length} accepted, ${heard('refused')} refused, ${heard('unknown')} cut off; ${kills.length} kills; ${extra} requests came again (${((extra / accepted.length) * 100).toFixed(2)} %)`,
  );
});

/** What a dead process had handed to the kernel, the receiver reads later when the machine is busy. */
const LATE_MS = 5_000;

interface Kill {
  victim: Victim;
  fromMs: number;
  toMs: number;
}

/** The next one dies while messages flow again, at a moment that the seed decides. */
async function killOneAfterTheOther(victims: Victim[], load: Load, random: Random): Promise<Kill[]> {
  const kills: Kill[] = [];
  for (const victim of victims) {
    await load.more(50 + Math.floor(random() * 200));
    const fromMs = Date.now();
    await kill(victim);
    kills.push({ victim, fromMs, toMs: Date.now() });
  }
  return kills;
}

const isOver = (state: string | undefined): boolean => state !== undefined && state !== 'retrying';

/** One that was refused or cut off may have been stored all the same: its sender was told to come again. One that has to be dropped never arrives. */
function mayArrive(sent: Sent | undefined): boolean {
  return sent !== undefined && sent.kind !== 'drop' && sent.kind !== 'poison';
}

const nameOf = ({ body }: BinRequest): string => (JSON.parse(body.toString()) as { name: string }).name;

/** A request's Idempotency-Key names its message. */
const messageIdOf = (headers: BinRequest['headers']): string => /msg_[0-9a-z]+/.exec(String(headers['idempotency-key']))?.[0] ?? '';

/** Messages that came more often than their kind explains, by the key with which a receiver tells repeats. */
function repeatsOf({ requests }: Inbox): { key: string; times: number; firstMs: number; lastMs: number }[] {
  const groups = new Map<string, { times: number; firstMs: number; lastMs: number }>();
  for (const { headers, body, atMs } of requests()) {
    const { kind } = JSON.parse(body.toString()) as { kind: Kind };
    const key = String(headers['idempotency-key']);
    const group = groups.get(key) ?? { times: kind === 'flaky' ? -1 : 0, firstMs: atMs, lastMs: atMs };
    groups.set(key, { times: group.times + 1, firstMs: group.firstMs, lastMs: atMs });
  }
  return [...groups].map(([key, group]) => ({ key, ...group })).filter(({ times }) => times > 1);
}

/** How many entries a stream of the tenant holds under a subject: where no API looks. */
async function stored(stream: string, subject: string): Promise<number> {
  const nc = await platform.bus.tenant(await platform.account(platform.acme));
  const answer = await nc.request(`$JS.API.STREAM.INFO.${stream}`, JSON.stringify({ subjects_filter: subject }));
  return answer.json<{ state: { subjects?: Record<string, number> } }>().state.subjects?.[subject] ?? 0;
}
