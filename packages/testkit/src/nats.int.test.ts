import { expect, test } from 'vitest';
import { isAtLeast, startNats } from './nats.ts';
import { isPortOpen } from './ports.ts';
import { findProcess } from './process-record.ts';

const config = async (port: number, dir: string) => `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(`${dir}/js`)} }\n`;

test('a server is killed and started again on its port, and a stop leaves no process', async () => {
  await using nats = await startNats({ config });
  const first = nats.pid;
  await nats.kill();
  expect(findProcess(first)).toBeNull();
  expect(await isPortOpen(nats.port)).toBe(false);
  await nats.start();
  expect(await isPortOpen(nats.port)).toBe(true);
  const second = nats.pid;
  await nats.stop();
  expect(findProcess(second)).toBeNull();
});

test('a second start in the same folder ends the forgotten first server', async () => {
  const first = await startNats({ config });
  await using second = await startNats({ config, dir: first.dir, port: first.port });
  expect(findProcess(first.pid)).toBeNull();
  expect(await isPortOpen(second.port)).toBe(true);
});

test('a configuration that the server refuses is shown in the error', async () => {
  await expect(startNats({ config: async () => 'jetstream { nonsense: true }' })).rejects.toThrow(/nonsense/);
});

test('versions compare by number, not by text', () => {
  expect([isAtLeast('2.12.5', '2.12.5'), isAtLeast('2.9.10', '2.12.5'), isAtLeast('2.15.1', '2.12.5'), isAtLeast('2.12.10', '2.12.5')]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});
