import { expect, test } from 'vitest';
import { edgeWarning, fieldOf, hostsOf } from './secret-words.ts';

test('hosts may be typed one a line or with commas', () => {
  expect(hostsOf(' api.example.com, *.example.com\n\nb.test:8443 ')).toEqual(['api.example.com', '*.example.com', 'b.test:8443']);
  expect(hostsOf('  \n')).toEqual([]);
});

test('white space around a value is told, and none of the value with it', () => {
  expect(edgeWarning('abc\n')).toContain('white space');
  expect(edgeWarning('abc\n')).not.toContain('abc');
  expect([edgeWarning('abc'), edgeWarning('')]).toEqual([null, null]);
});

test('what is wrong with one host shows at the field of all hosts', () => {
  expect(fieldOf({ '/hosts/2': 'no path' }, 'hosts')).toBe('no path');
  expect(fieldOf({ '/hosts/2': 'no path' }, 'host')).toBeNull();
});
