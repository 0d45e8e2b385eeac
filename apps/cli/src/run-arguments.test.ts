import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { expect, it } from 'vitest';
import { CliError } from './cli-error.ts';
import { parseHeaders, parseLimits } from './run-arguments.ts';

const dir = scratchDir('arguments');

function file(name: string, text: string): string {
  writeFileSync(path.join(dir, name), text);
  return path.join(dir, name);
}

it('headers come from the command line, from JSON and from lines, in their order, repeated ones too', () => {
  const json = file('headers.json', '{ "X-Shop": "eu", "Accept": ["a", "b"] }');
  const lines = file('headers.txt', 'X-Event: order.paid\r\n\r\nX-Link: a=b:c\n');
  expect(parseHeaders(['X-Key=a=b', json, lines])).toEqual([
    ['X-Key', 'a=b'],
    ['X-Shop', 'eu'],
    ['Accept', 'a'],
    ['Accept', 'b'],
    ['X-Event', 'order.paid'],
    ['X-Link', 'a=b:c'],
  ]);
});

it('what is no header is refused with one sentence', () => {
  expect(() => parseHeaders(['nowhere.txt'])).toThrow(/nowhere\.txt does not exist/);
  expect(() => parseHeaders([file('bad.json', '{')])).toThrow(/bad\.json is not JSON/);
  expect(() => parseHeaders([file('bad.txt', 'no colon')])).toThrow(/bad\.txt:1 is not a header/);
  expect(() => parseHeaders([file('name.json', '{ "a b": "c" }')])).toThrow(/"a b" is not a header's name/);
  expect(() => parseHeaders([file('number.json', '{ "a": 1 }')])).toThrow(/the header a is not a text/);
});

it('limits that are not given are those of a node', () => {
  const limits = parseLimits(['instructions=5_000', 'logLines=1e2']);
  expect(limits).toMatchObject({ instructions: 5_000, logLines: 100, instructionsPerKib: 2_000_000, memoryBytes: 16 * 1_048_576 });
});

it('a limit that does not exist or is no number is refused, and those that exist are named', () => {
  for (const given of ['time=1', 'instructions', 'instructions=', 'instructions=many', 'instructions=-1', 'instructions=1.5', 'wallMs=1'])
    expect(() => parseLimits([given]), given).toThrow(CliError);
  expect(() => parseLimits(['time=1'])).toThrow(/there are instructions, instructionsPerKib/);
});
