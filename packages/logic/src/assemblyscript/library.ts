import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** The only module a step can import. */
export const stepModule = '@vrsky/sdk';
/** Files of the library, as the compiler names them. */
export const libraryPrefix = '~lib/';

/** A text that a step can refer to. */
export interface LibraryFile {
  /** Without extension. */
  name: string;
  text: string;
}

/** Parts of the language's library that need a host which a step does not have, and its memory managers: ours is in the SDK. */
const leftOut = /^(atomics|crypto|performance|process|console|rt\/(?!common$).*|bindings\/.*)$/;

/** The language's own library and the SDK, always in the same order: the order decides what the compiler numbers how. */
export function readLibrary(): LibraryFile[] {
  const require = createRequire(import.meta.url);
  const language = dirname(require.resolve('assemblyscript/std/assembly/index.d.ts'));
  const sdk = dirname(require.resolve(`${stepModule}/assembly/index.ts`));
  const ours = textsIn(sdk).map(({ name, text }) => ({ name: name.startsWith('std/') ? name.slice('std/'.length) : `${stepModule}/${name}`, text }));
  const files = [...textsIn(language).filter(({ name }) => !leftOut.test(name)), ...ours];
  return files.map(({ name, text }) => ({ name: libraryPrefix + name, text: name === numbers ? withOurNumbers(text) : text }));
}

/** Where the language writes numbers as text. */
const numbers = 'util/number';

/** A number that a step writes into a text looks as in JavaScript, and as in the JSON it writes. */
function withOurNumbers(text: string): string {
  const ours = ['dtoa', 'dtoa_buffered'];
  for (const name of ours) if (!text.includes(`export function ${name}<`)) throw new Error(`bug: the language has no function ${name} in ${numbers}`);
  const rest = text.replace(/export function (dtoa|dtoa_buffered)</g, 'function $1_of_language<');
  return `${rest}\nexport { ${ours.join(', ')} } from '${stepModule}/number-text';\n`;
}

function textsIn(directory: string): LibraryFile[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && /(?<!\.d)\.ts$/.test(file.name))
    .map((file) => join(file.parentPath, file.name))
    .sort()
    .map((path) => ({ name: relative(directory, path).replaceAll('\\', '/').slice(0, -'.ts'.length), text: readFileSync(path, 'utf8') }));
}
