import { describe, expect, test } from 'vitest';
import { paths, toLocalPath } from './paths.ts';

describe('paths', () => {
  test('filters that are not set leave no trace in the address', () => {
    expect(paths.messages('acme')).toBe('/t/acme/messages');
    expect(paths.messages('acme', { states: [], search: '' })).toBe('/t/acme/messages');
    expect(paths.messages('acme', { states: ['retrying', 'filtered'], pipelineId: 'pip_1' })).toBe('/t/acme/messages?pipeline=pip_1&state=retrying%2Cfiltered');
  });
});

describe('after a sign-in', () => {
  test.each(['https://evil.example/x', '//evil.example', '/\\evil.example', '\\\\evil.example', 'javascript:alert(1)', '', null])(
    '%s leads home, not away',
    (candidate) => {
      expect(toLocalPath(candidate)).toBe('/');
    },
  );

  test('a path of ours is kept whole', () => {
    expect(toLocalPath('/t/acme/messages?state=retrying#top')).toBe('/t/acme/messages?state=retrying#top');
  });
});
