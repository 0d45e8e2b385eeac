import type { StepLanguage, StepSpec } from '@vrsky/contracts/pipeline-spec';

/** What a new step does until somebody edits it: nothing that could surprise. */
export function starterOf(kind: StepSpec['kind'], language: StepLanguage): string {
  return starters[language][kind];
}

/** Whether nobody has written in it yet, so that it can be replaced without asking. */
export function isStarter({ kind, language, source }: Pick<StepSpec, 'kind' | 'language' | 'source'>): boolean {
  return source.trim() === '' || source === starterOf(kind, language);
}

export const languageWords: Record<StepLanguage, string> = {
  typescript: 'TypeScript',
  assemblyscript: 'AssemblyScript',
  wasm: 'WebAssembly module',
};

const starters: Record<StepLanguage, Record<StepSpec['kind'], string>> = {
  typescript: {
    convert: `import { defineConvert } from '@vrsky/sdk';

// Return what goes on: text, bytes, or any value (it is sent as JSON).
export default defineConvert((msg, ctx) => {
  const body = msg.json();
  return { ...body, checked: true };
});
`,
    filter: `import { defineFilter } from '@vrsky/sdk';

// Return true to let the message pass, or a sentence that says why not.
export default defineFilter((msg, ctx) => {
  const body = msg.json();
  return body.id !== undefined || 'the message has no id';
});
`,
  },
  assemblyscript: {
    convert: `import { defineConvert, json, JsonObject } from '@vrsky/sdk';

// Return what goes on: json(…), text(…), bytes(…), or pass() for the message as it came.
export default defineConvert((msg, ctx) => {
  const body = msg.json();
  return json(new JsonObject().set('id', body.get('id')).set('checked', true));
});
`,
    filter: `import { defineFilter } from '@vrsky/sdk';

// Return true to let the message pass, or ctx.filter(…) with a sentence that says why not.
export default defineFilter((msg, ctx) => {
  const body = msg.json();
  if (!body.get('id').exists) return ctx.filter('the message has no id');
  return true;
});
`,
  },
  // A module is uploaded.
  wasm: { convert: '', filter: '' },
};
