import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { curlLine } from './curl-line.ts';

/** What the shell would hand to curl. */
function wordsOf(line: string): string[] {
  return execFileSync('sh', ['-c', line.replace(/^curl/, 'printf "%s\\0"')], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

test('the line carries the sample of the first step, in one line', () => {
  expect(wordsOf(curlLine('http://127.0.0.1/in/x', '{\n "a": 1 }'))).toEqual([
    '-i',
    'http://127.0.0.1/in/x',
    '-H',
    'Content-Type: application/json',
    '-d',
    '{"a":1}',
  ]);
});

test('quotes in the sample do not end the word in the shell', () => {
  expect(wordsOf(curlLine('http://127.0.0.1/in/x', `{"note":"it's $HOME"}`)).at(-1)).toBe(`{"note":"it's $HOME"}`);
});

test('a sample that is not JSON is sent as text', () => {
  expect(wordsOf(curlLine('http://127.0.0.1/in/x', 'plain')).slice(3)).toEqual(['Content-Type: text/plain', '-d', 'plain']);
});
