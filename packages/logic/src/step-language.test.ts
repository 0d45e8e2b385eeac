import { describe, expect, it } from 'vitest';
import { createStepLanguage } from './step-language.ts';
import { readStepTypes } from './step-types.ts';

const language = createStepLanguage(readStepTypes());

/** A source with the place of the cursor marked. */
function at(marked: string): [string, number] {
  const offset = marked.indexOf('|');
  return [marked.slice(0, offset) + marked.slice(offset + 1), offset];
}

const step = (body: string): string => `import { defineConvert } from '@vrsky/sdk';\nexport default defineConvert((msg, ctx) => {\n  ${body}\n});\n`;

describe('createStepLanguage', () => {
  it('completes what the SDK gives, without annotations', () => {
    const [source, offset] = at(step('msg.js|'));
    const found = language.completions(source, offset);
    expect(found?.items.map(({ name }) => name)).toEqual(expect.arrayContaining(['json', 'text', 'bytes', 'headers', 'id']));
    expect(source.slice(found?.from, offset)).toBe('js');
    expect(
      language
        .completions(...at(step('ctx.|')))
        ?.items.map(({ name }) => name)
        .sort(),
    ).toEqual(['fail', 'filter', 'log', 'metadata']);
  });

  it('describes a completion and what is under the pointer', () => {
    expect(language.describe(...at(step('ctx.|')), 'filter')).toEqual({
      signature: expect.stringContaining('Context.filter(reason: string'),
      documentation: expect.stringContaining('drops the message'),
    });
    const [source, offset] = at(step('return msg.he|aders.get("x")'));
    const hover = language.hover(source, offset);
    expect(hover).toMatchObject({ signature: '(property) Message.headers: MessageHeaders', documentation: expect.stringContaining('request headers') });
    expect(source.slice(hover?.from, hover?.to)).toBe('headers');
    expect(language.hover(...at('| \n'))).toBeNull();
  });

  it('checks by the kind it is asked for, and does not check a bundle of libraries', () => {
    const filter = "import { defineFilter } from '@vrsky/sdk';\nexport default defineFilter((msg) => msg.text() === 'a');\n";
    expect(language.check('filter', filter)).toEqual([]);
    expect(language.check('convert', filter)).toEqual([]);
    expect(language.check('filter', step('return { a: 1 };'))).toEqual([
      expect.objectContaining({ line: 2, message: expect.stringContaining('A filter returns true') }),
    ]);
    expect(language.check('convert', step('return { a: 1 };'))).toEqual([]);
    expect(language.check('convert', '// @ts-nocheck\nconst n: string = Intl;\nexport default () => n')).toEqual([]);
  });
});
