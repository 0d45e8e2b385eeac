import { expect, test } from 'vitest';
import { type SandboxLayer, type SandboxPolicy, type SandboxReport, sandboxLayers } from './layers.ts';
import { planSandbox, withinHardLimits } from './plan.ts';

const place = { executable: '/opt/plugins/connector', scratchDir: '/run/scratch', uid: 20_007, cgroup: { procsFiles: ['/cg/one', '/cg/two'] } };
const policy: SandboxPolicy = { network: 'none', memoryBytes: 134_217_728, processesMax: 40, filesMax: 100, dataDir: '/srv/data', minimum: [] };

const machineWith = (...layers: readonly SandboxLayer[]): SandboxReport => ({
  layers: Object.fromEntries(sandboxLayers.map((layer) => [layer, { available: layers.includes(layer), detail: `no ${layer}` }])) as SandboxReport['layers'],
  means: { setpriv: '/bin/setpriv', prlimit: '/bin/prlimit', bwrap: '/bin/bwrap', cgroup: null },
});
const everything = sandboxLayers.filter((layer) => layer !== 'landlock');

test('nothing but the environment needs no words', () => {
  expect(planSandbox(machineWith('environment'), { ...policy, network: 'direct' }, place)).toMatchObject({
    prefix: [],
    descriptor3: null,
    layers: ['environment'],
  });
});

test('the cgroup is joined before a limit or a namespace, the user changes last and then asks for the parent’s death once more', () => {
  const { prefix } = planSandbox(machineWith(...everything), policy, place);
  const order = ['/bin/setpriv', '/bin/sh', '/bin/prlimit', '/bin/bwrap'].map((word) => prefix.indexOf(word));
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(prefix.slice(prefix.lastIndexOf('/bin/setpriv'), prefix.lastIndexOf('/bin/setpriv') + 5)).toEqual([
    '/bin/setpriv',
    '--pdeathsig',
    'KILL',
    '--no-new-privs',
    '--reuid',
  ]);
  expect(prefix.slice(prefix.indexOf('start'), prefix.indexOf('start') + 5)).toEqual(['start', String(process.pid), '2', '/cg/one', '/cg/two']);
  expect(prefix.at(-1)).toBe('--');
});

test('the address space is never limited, since WebAssembly sets aside gigabytes of it; processes only with a user of one’s own', () => {
  for (const layers of [everything, ['limits'] as const]) {
    const { prefix } = planSandbox(machineWith(...layers), { ...policy, network: layers === everything ? 'none' : 'direct' }, place);
    expect(prefix.filter((word) => /^--(as|rss)=/.test(word))).toEqual([]);
    expect(prefix.includes('--nproc=40')).toBe(layers === everything);
  }
});

test('what is written is bound for writing, all else for reading, and the own network is left out only when the policy says so', () => {
  const words = planSandbox(machineWith(...everything), { ...policy, readOnly: ['/srv/given'] }, place).prefix.join(' ');
  const writable = [...words.matchAll(/ --bind (\S+) /g)].map(([, path]) => path);
  expect(writable).toEqual(['/run/scratch', '/srv/data']);
  for (const path of ['/opt/plugins/connector', '/srv/given', process.execPath]) expect(words).toContain(` --ro-bind ${path} ${path} `);
  expect(words).toContain(' --unshare-net ');
  expect(planSandbox(machineWith(...everything), { ...policy, network: 'direct' }, place).prefix).not.toContain('--unshare-net');
});

test('a missing layer that is asked for is named with its reason, to the operator and to the customer', () => {
  const plan = () => planSandbox(machineWith('environment', 'limits'), { ...policy, minimum: ['limits', 'uid'] }, place);
  expect(plan).toThrow(expect.objectContaining({ code: 'PLUGIN.SANDBOX', kind: 'precondition', details: { missing: ['namespaces', 'uid'] } }));
  expect(plan).toThrow('namespaces (no namespaces); uid (no uid)');
});

test('the runtimes are told less than the limit, so that they collect before the kernel ends them', () => {
  const { env } = planSandbox(machineWith('environment'), { ...policy, network: 'direct' }, place);
  expect(env).toEqual({ GOMEMLIMIT: '120795955', NODE_OPTIONS: '--max-old-space-size=96' });
});

test('no limit is above the node’s own hard one', () => {
  const table = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max file size             unlimited            unlimited            bytes     ',
    'Max open files            1024                 4096                 files     ',
  ].join('\n');
  expect(withinHardLimits({ nofile: 10_000, fsize: 5, core: 0 }, table)).toEqual({ nofile: 4_096, fsize: 5, core: 0 });
  expect(withinHardLimits({ nofile: 100 }, table)).toEqual({ nofile: 100 });
});
