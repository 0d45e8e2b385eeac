import { expect, test } from 'vitest';
import type { OverviewView } from '../types.ts';
import { verdictOf } from './verdict.ts';

const node = { id: 'nod_1', name: 'node-1', liveness: 'live', rejected: null } as OverviewView['nodes'][number];
const pipeline = { id: 'pip_1', name: 'Orders', state: 'running', publishedRevision: 1 } as OverviewView['pipelines'][number];
const view = (change: Partial<OverviewView>): OverviewView => ({
  pipelines: [pipeline],
  nodes: [node],
  perMinute: [],
  newest: [],
  deadLettersLastDay: 0,
  asOf: '',
  ...change,
});

test('all is well when every pipeline runs on a live node', () => {
  expect(verdictOf(view({}), 0)).toMatchObject({ tone: 'good', findings: [] });
});

test('without a live node it is bad, and said once', () => {
  const verdict = verdictOf(
    view({
      nodes: [
        { ...node, liveness: 'gone' },
        { ...node, id: 'nod_2', liveness: 'silent' },
      ],
    }),
    0,
  );
  expect(verdict.tone).toBe('bad');
  expect(verdict.findings).toHaveLength(1);
});

test('one silent node among live ones is to be watched, not bad', () => {
  expect(verdictOf(view({ nodes: [node, { ...node, id: 'nod_2', liveness: 'silent' }] }), 0).tone).toBe('wait');
});

test('a refused configuration and a pipeline that no node runs are bad', () => {
  const verdict = verdictOf(
    view({ nodes: [{ ...node, rejected: { code: 'X', reason: 'the signature does not match', at: '' } }], pipelines: [{ ...pipeline, state: 'failed' }] }),
    0,
  );
  expect(verdict).toMatchObject({ tone: 'bad', title: '2 things need you' });
});

test('drafts alone are neither good nor bad', () => {
  expect(verdictOf(view({ pipelines: [{ ...pipeline, state: 'draft', publishedRevision: null }] }), 0).tone).toBe('quiet');
});
