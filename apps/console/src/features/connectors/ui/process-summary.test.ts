import { expect, test } from 'vitest';
import type { ConnectorProcessView } from '../types.ts';
import { processSummary } from './process-summary.ts';

const process = (extra: Partial<ConnectorProcessView>): ConnectorProcessView => ({
  name: 'files',
  version: '1.0.0',
  digest: null,
  state: 'running',
  sandbox: [],
  pid: 1,
  restarts: 0,
  cpuSeconds: 0,
  rssBytes: 0,
  nodeId: 'nod_1',
  nodeName: 'node-1',
  nodeLiveness: 'live',
  shared: false,
  reason: null,
  ...extra,
});

test('one process is told by its state, several by how many are in trouble and why', () => {
  expect(processSummary([])).toBeNull();
  expect(processSummary([process({})])).toMatchObject({ state: 'running', word: 'Running' });
  expect(processSummary([process({}), process({})])).toMatchObject({ word: '2 running' });
  expect(processSummary([process({}), process({ state: 'restarting', reason: 'It ended.' })])).toEqual({
    state: 'restarting',
    word: '1 of 2 restarting',
    reason: 'It ended.',
  });
  expect(processSummary([process({ state: 'stopped', reason: 'Idle.' })])).toEqual({ state: 'stopped', word: 'Stopped', reason: 'Idle.' });
});

test('a process on a node that is not live is not called running', () => {
  expect(processSummary([process({ nodeLiveness: 'gone' })])).toMatchObject({ state: 'silent', word: 'Not heard of' });
});
