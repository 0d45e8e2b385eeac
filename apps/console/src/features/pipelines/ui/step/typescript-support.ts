import { autocompletion, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import { hoverTooltip } from '@codemirror/view';
import type { LanguageCalls } from '../../workbench/language-worker.ts';
import { type WorkerClient, WorkerStopped } from '../../workbench/worker-client.ts';

type Language = WorkerClient<LanguageCalls>;

/** Completion and hover from TypeScript itself, which runs in a worker. */
export function typescriptSupport(language: Language): Extension {
  return [
    autocompletion({ override: [(context) => complete(language, context)] }),
    hoverTooltip(async (view, at) => {
      const found = await quietly(language.call('hover', view.state.doc.toString(), at));
      return found && { pos: found.from, end: found.to, above: true, create: () => ({ dom: toHelp(found) }) };
    }),
  ];
}

async function complete(language: Language, context: CompletionContext): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w$]*/);
  const typed = word !== null && word.from < word.to;
  const afterDot = context.matchBefore(/[.'"]/) !== null;
  if (!context.explicit && !typed && !afterDot) return null;
  const source = context.state.doc.toString();
  const found = await quietly(language.call('completions', source, context.pos));
  if (!found || found.items.length === 0) return null;
  return {
    from: found.from,
    validFor: /^[\w$]*$/,
    options: found.items.map(
      ({ name, kind, insertText, sortText }): Completion => ({
        label: name,
        type: kinds[kind] ?? 'variable',
        // `?.name` would replace the dot before it, which is not part of what is replaced.
        apply: insertText.startsWith('?.') ? name : insertText,
        boost: -(Number.parseInt(sortText, 10) || 15),
        info: async () => {
          const help = await quietly(language.call('describe', source, context.pos, name));
          return help && toHelp(help);
        },
      }),
    ),
  };
}

/** Nothing to offer when the worker is gone: the page says so elsewhere. */
async function quietly<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WorkerStopped || error instanceof Error) return null;
    throw error;
  }
}

function toHelp({ signature, documentation }: { signature: string; documentation: string }): HTMLElement {
  const help = document.createElement('div');
  help.className = 'cm-help';
  const add = (name: string, text: string) => {
    const line = help.appendChild(document.createElement('p'));
    line.className = name;
    line.textContent = text;
  };
  add('cm-signature', signature);
  if (documentation !== '') add('cm-documentation', documentation);
  return help;
}

/** TypeScript's kinds as CodeMirror's icons. */
const kinds: Record<string, string> = {
  method: 'method',
  function: 'function',
  'local function': 'function',
  property: 'property',
  getter: 'property',
  class: 'class',
  interface: 'interface',
  type: 'type',
  alias: 'variable',
  const: 'constant',
  let: 'variable',
  var: 'variable',
  'local var': 'variable',
  parameter: 'variable',
  keyword: 'keyword',
  module: 'namespace',
  string: 'text',
};
