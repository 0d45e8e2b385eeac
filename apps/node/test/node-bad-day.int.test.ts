import { readFileSync } from 'node:fs';
import { eventually } from '@vrsky/testkit/eventually';
import { type RequestBin, requestBin } from '@vrsky/testkit/request-bin';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane, type TestPipeline, type TestTenant } from './control-plane.ts';
import { type NodeProcess, startNode } from './node-process.ts';

// Under load, one process after the other is killed as a crash would. Every message that was answered with 202 arrives.

let plane: ControlPlane;
let bin: RequestBin;
let node: NodeProcess;
let tenant: TestTenant;
let pipeline: TestPipeline;

beforeAll(async () => {
  plane = await startControlPlane();
  bin = await requestBin();
  tenant = await plane.addTenant();
  pipeline = await plane.pipeline(tenant, { to: { out: { url: bin.url } }, retry: { attempts: 20, initialMs: 100, maxMs: 1_000 } });
  await plane.publish(tenant, [pipeline]);
  node = await startNode(plane, { egressAllow: [`127.0.0.1:${bin.port}`] });
  await plane.waitForReport(tenant, (report) => report.applied !== null);
});
afterAll(async () => {
  await node?.[Symbol.asyncDispose]();
  await bin?.close();
  await plane?.[Symbol.asyncDispose]();
});

interface Load {
  readonly accepted: Set<string>;
  /** Resolves once so many more were accepted. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Senders that go on whatever they hear; what was answered with 202 is remembered. */
function startLoad(senders: number): Load {
  const accepted = new Set<string>();
  let isOver = false;
  let next = 0;
  const sender = async (): Promise<void> => {
    while (!isOver) {
      const name = `m${performance.timeOrigin}-${next++}`;
      const answer = await node.post(pipeline.path, JSON.stringify({ name })).catch(() => null);
      if (answer?.status === 202) accepted.add(name);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const running = Array.from({ length: senders }, sender);
  return {
    accepted,
    async more(count) {
      const wanted = accepted.size + count;
      await eventually(() => accepted.size >= wanted, { timeoutMs: 60_000, what: `${wanted} accepted messages` });
    },
    async stop() {
      isOver = true;
      await Promise.all(running);
    },
  };
}

const arrived = (): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { body } of bin.requests) {
    const { name } = JSON.parse(body.toString()) as { name: string };
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
};

async function nothingLost({ accepted }: Load): Promise<void> {
  await eventually(
    () => {
      const counts = arrived();
      return [...accepted].every((name) => counts.has(name));
    },
    { timeoutMs: 60_000, everyMs: 200, what: `${accepted.size} accepted messages to arrive` },
  );
}

describe('nothing that was accepted is lost', () => {
  test('when the node is killed', async () => {
    const load = startLoad(16);
    await load.more(200);
    await node.kill();
    await node.start();
    await load.more(200);
    await load.stop();
    await nothingLost(load);
  });

  test.each(['source', 'destination'])('when the connector of the role %s is killed; it is started again', async (role) => {
    const load = startLoad(16);
    await load.more(200);
    const pid = connectorPid(node.child().pid, role);
    process.kill(pid, 'SIGKILL');
    await load.more(200);
    await load.stop();
    await nothingLost(load);
    expect(connectorPid(node.child().pid, role)).not.toBe(pid);
  });

  test('when nats-server is killed', async () => {
    const load = startLoad(16);
    await load.more(200);
    await plane.nats.kill();
    await plane.nats.start();
    await load.more(200);
    await load.stop();
    await nothingLost(load);
  });

  test('when the receiver goes away for a while', async () => {
    const load = startLoad(8);
    await load.more(100);
    await bin.down();
    await load.more(100);
    await bin.up();
    await load.stop();
    await nothingLost(load);
  });

  test('when the node is stopped in order, and it stops within its time', async () => {
    const load = startLoad(8);
    await load.more(100);
    const startedMs = performance.now();
    await node.stop();
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    expect(node.child().exit()).toMatchObject({ code: 0 });
    await node.start();
    await load.more(50);
    await load.stop();
    await nothingLost(load);
  });
});

test('a receiver that never answers does not keep a node from stopping, and the message is delivered after the next start', async () => {
  bin.behave({ hang: true });
  const name = `hanging-${performance.now()}`;
  expect((await node.post(pipeline.path, JSON.stringify({ name }))).status).toBe(202);
  await eventually(() => arrived().has(name));
  const startedMs = performance.now();
  await node.stop();
  expect(performance.now() - startedMs).toBeLessThan(9_500);
  expect(node.child().exit()).toMatchObject({ code: 0 });
  bin.behave({});
  await node.start();
  await eventually(() => (arrived().get(name) ?? 0) >= 2, { timeoutMs: 40_000, what: 'the second delivery' });
});

/** The child of the node that is its connector for a role. */
function connectorPid(nodePid: number, role: string): number {
  const children = readFileSync(`/proc/${nodePid}/task/${nodePid}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`VRSKY_HTTP_ROLES=${role}`));
  if (found === undefined) throw new Error(`the node ${nodePid} has no connector for the role ${role}`);
  return found;
}
