import { expect, test } from 'vitest';
import { differences } from './read-back.ts';
import { pipelineConsumer, tenantStreams } from './stream-configs.ts';

test('what the server leaves out because it is false, zero or empty is as wanted', () => {
  expect(differences({ allow_rollup_hdrs: false, max_age: 0, discard: 'new' }, { discard: 'new' }, ['mirror', 'sources'])).toEqual([]);
});

test('every field that differs is named with both values', () => {
  const [ingest] = tenantStreams();
  const actual = { ...ingest, discard: 'old', allow_direct: undefined, max_bytes: 5 };
  expect(differences(ingest ?? {}, actual, [])).toEqual(['allow_direct is missing, not true', 'discard is "old", not "new"', 'max_bytes is 5, not 1073741824']);
});

test('a consumer that lost its filter is not taken for ours', () => {
  const { filter_subject: _dropped, ...actual } = pipelineConsumer('pip_1');
  expect(differences(pipelineConsumer('pip_1'), actual, [])).toEqual(['filter_subject is missing, not "in.pip_1.>"']);
});

test('a field that must not be there is named', () => {
  expect(differences({}, { persist_mode: 'async', mirror: { name: 'x' } }, ['mirror', 'persist_mode', 'no_ack'])).toEqual([
    'mirror is {"name":"x"}, but must not be set',
    'persist_mode is "async", but must not be set',
  ]);
  expect(differences({}, { persist_mode: 'default' }, ['persist_mode'])).toEqual([]);
});
