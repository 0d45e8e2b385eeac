import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { destinationSettingsSchema } from './settings.ts';

const docs = path.resolve(import.meta.dirname, '../../../../docs');
const pages = ['http-destination.md', ...readdirSync(path.join(docs, 'http/out')).map((file) => `http/out/${file}`)];
const blocks = pages.flatMap((page) => [...readFileSync(path.join(docs, page), 'utf8').matchAll(/```json\n(.*?)```/gs)].map((match) => match[1] as string));

describe('what the docs print', () => {
  test.each(blocks)('is accepted as it is: %s', (text) => {
    expect(destinationSettingsSchema.safeParse(JSON.parse(text)).error?.issues).toBeUndefined();
  });

  test('has every setting and every scheme', () => {
    const settings = blocks.map((text) => destinationSettingsSchema.parse(JSON.parse(text)));
    const shown = new Set(blocks.flatMap((text) => Object.keys(JSON.parse(text))));
    expect([...shown].sort()).toEqual(
      Object.keys(destinationSettingsSchema.shape)
        .filter((key) => key !== 'method')
        .sort(),
    );
    expect(new Set(settings.flatMap(({ auth }) => auth?.scheme ?? []))).toEqual(new Set(['bearer', 'basic', 'api_key', 'oauth2', 'aws_sigv4']));
  });
});
