import { format, inspect } from 'node:util';
import { create } from '@bufbuild/protobuf';
import { SecretSchema } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { expect, test } from 'vitest';
import { listSecretRefs, readSecrets } from './secret.ts';

const value = Buffer.from('hunter2');
const wire = create(SecretSchema, { name: 'api', hosts: ['a.test'], versions: [{ version: 7, value }] });

test('no way of printing a secret shows its value', () => {
  const secret = readSecrets([wire]).get('api');
  const version = secret?.newest;
  const shown = [secret, version, { secret, version }, [version]].flatMap((thing) => [
    String(thing),
    `${thing}`,
    JSON.stringify(thing),
    inspect(thing, { showHidden: true, depth: 9, getters: true }),
    format('%s %o %O %j', thing, thing, thing, thing),
    format('%d', thing),
    JSON.stringify({ ...(thing as object) }),
    Object.values(thing as object).join(),
  ]);
  for (const text of shown)
    for (const form of [value.toString(), value.toString('hex'), value.toString('base64'), String([...value])]) expect(text).not.toContain(form);
  expect(inspect(secret)).toBe('[secret api]');
  expect(JSON.stringify(version)).toBe('"[version 7 of a secret]"');
  expect(version?.text()).toBe('hunter2');
});

test('a value that is taken out and changed stays as it was', () => {
  const version = readSecrets([wire]).get('api')?.newest;
  version?.bytes().fill(0);
  expect(version?.text()).toBe('hunter2');
});

test('a secret without a version is none', () => {
  expect(readSecrets([create(SecretSchema, { name: 'api' })]).size).toBe(0);
});

test('references are found wherever they are, with their pointers', () => {
  const settings = { a: { $secret: 'one' }, 'b/c': [1, { d: { $secret: 'two' } }], e: { $secret: 'no', more: 1 }, f: { $secret: 2 }, g: null };
  expect(listSecretRefs(settings)).toEqual([
    { path: '/a', name: 'one' },
    { path: '/b~1c/1/d', name: 'two' },
  ]);
});
