import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratchDir } from '@vrsky/testkit/scratch';
import { describe, expect, it, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { version } from './installation.ts';
import { runProgram } from './program.ts';
import { createTerminal } from './terminal.ts';

// Compilers start slowly on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const dir = scratchDir('cli');

function file(name: string, text: string): string {
  const at = path.join(dir, name);
  writeFileSync(at, text);
  return at;
}

/** One command line, in this process, without a terminal. */
async function vrsky(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({ write: (text: string | Uint8Array) => (written[name] += Buffer.from(text as string).toString()) });
  const settings = { url: undefined, apiKey: undefined, colours: {}, inherited: {} };
  const code = await runProgram(args, settings, createTerminal({ stdout: stream('out'), stderr: stream('err') }, settings.colours));
  expect(written.out + written.err).not.toContain('\u001b');
  return { code, ...written, err: written.err.replace(/^Building .* …\n/, '') };
}

const input = file('input.json', '{"id":7,"items":[{"price":2},{"price":3}]}');
const step = (name: string, body: string): string =>
  file(name, `import { defineConvert } from '@vrsky/sdk';\nexport default defineConvert((msg, ctx) => {\n${body}\n});\n`);

describe('vrsky run', () => {
  it('prints the output on stdout as it is, and what it cost on stderr', async () => {
    const file = step('ok.ts', "ctx.log('seen', msg.headers.get('x-shop')); return { id: msg.json().id };");
    const ran = await vrsky('run', file, '--input', input, '--headers', 'X-Shop=eu');
    expect(ran).toMatchObject({ code: 0, out: '{"id":7}\n' });
    expect(ran.err).toMatch(/^│ seen eu\nok, [\d,]+ of 20,000,000 instructions \(read [\d,]+, step [\d,]+, write [\d,]+\), [\d.]+ ms\n$/);
  });

  it('with --json prints outcome, output, reason, logs, instructions, limit and durationMs', async () => {
    const file = step('json.ts', "ctx.log('hi'); return { id: msg.json().id };");
    const { code, out } = await vrsky('run', file, '--input', input, '--json');
    const made = JSON.parse(out);
    expect([code, made]).toEqual([
      0,
      {
        outcome: 'ok',
        output: '{"id":7}',
        encoding: 'utf8',
        contentType: 'application/json',
        reason: null,
        logs: ['hi'],
        instructions: expect.any(Number),
        split: { decode: expect.any(Number), logic: expect.any(Number), encode: expect.any(Number) },
        limit: 20_000_000,
        durationMs: expect.any(Number),
      },
    ]);
    expect(made.split.decode + made.split.logic + made.split.encode).toBe(made.instructions);
    expect(JSON.parse((await vrsky('run', file, '--input', input, '--json')).out).instructions).toBe(made.instructions);
  });

  it('writes bytes that are no text in base64', async () => {
    const file = step('bytes.ts', 'return new Uint8Array([255, 0]);');
    expect(JSON.parse((await vrsky('run', file, '--input', input, '--json')).out)).toMatchObject({ output: '/wA=', encoding: 'base64' });
  });

  it('of a filtered message gives the reason and ends with 4', async () => {
    const file = step('filtered.ts', "return ctx.filter('too small', { route: 'small' });");
    expect(await vrsky('run', file, '--input', input)).toMatchObject({ code: 4, out: '', err: expect.stringMatching(/^filtered to small: too small\n/) });
    expect(JSON.parse((await vrsky('run', file, '--input', input, '--json')).out)).toMatchObject({
      outcome: 'filtered',
      output: null,
      reason: 'too small',
      route: 'small',
    });
  });

  it('of an endless loop ends with the limit, at the same number each time', async () => {
    const file = step('endless.ts', 'for (;;);');
    for (const _ of [1, 2])
      expect(await vrsky('run', file, '--input', input)).toMatchObject({
        code: 5,
        out: '',
        err: expect.stringMatching(/^failed: The step used more than 20,000,000 instructions and was stopped\n20,000,000 of 20,000,000 instructions/),
      });
    const { out } = await vrsky('run', file, '--input', input, '--json', '--limits', 'instructions=1000000');
    expect(JSON.parse(out)).toMatchObject({ outcome: 'failed', instructions: 1_000_000, limit: 1_000_000 });
  });

  it('of a longer message allows more instructions', async () => {
    const long = file('long.json', JSON.stringify('x'.repeat(3_000)));
    expect(JSON.parse((await vrsky('run', step('short.ts', 'return 1;'), '--input', long, '--json')).out).limit).toBe(24_000_000);
  });

  it("names the place of a failure in the author's file, also in one that the step imports", async () => {
    file(
      'total.ts',
      'export function total(order: { lines?: { price: number }[] }): number {\n  let sum = 0;\n  for (const line of order.lines!) sum += line.price;\n  return sum;\n}\n',
    );
    const at = file('places.ts', "import { total } from './total.ts';\nexport default (msg: { json(): never }) => ({ total: total(msg.json()) });\n");
    const { code, err } = await vrsky('run', at, '--input', input);
    expect(code).toBe(5);
    expect(err).toMatch(/total\.ts:3:\d+ TypeError: /);
  });
});

describe('what cannot be built', () => {
  it.each([
    ['a wrong type', 'return { id: msg.json<{ id: number }>().idd };', /wrong\.ts:3:\d+ Property 'idd' does not exist/],
    ['a name that the engine does not have', 'return { text: new Intl.NumberFormat() };', /wrong\.ts:3:\d+ Intl is not available in a step/],
    ['a missing bracket', 'return {', /wrong\.ts:4:\d+ Expected/],
  ])('%s is said at its place, and ends with 3', async (_name, body, place) => {
    const { code, out, err } = await vrsky('run', step('wrong.ts', body), '--input', input);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(place);
    expect(err).toMatch(/^error: One problem in .*wrong\.ts: nothing was built$/m);
  });

  it.each([
    [
      "import { readFileSync } from 'node:fs';\nexport default () => readFileSync('/etc/passwd', 'utf8');\n",
      'A step has no "fs": it runs without files, network and processes',
    ],
    ["import left from 'left-pad-of-nobody';\nexport default () => left;\n", '"left-pad-of-nobody" is not installed: npm install left-pad-of-nobody'],
    ["import { x } from './nothing.ts';\nexport default () => x;\n", 'There is no file "./nothing.ts"'],
    ['export const step = 1;\n', 'The code needs a function as its default export'],
    ["export default () => 'x';\nthrow new Error('at once');\n", 'The code fails when it is loaded: at once'],
  ])('%j is refused with what to do', async (source, sentence) => {
    const { code, err } = await vrsky('build', file('refused.ts', source));
    expect(code).toBe(3);
    expect(err).toContain(sentence);
    expect(err).toMatch(/refused\.ts:\d+:\d+ /);
  });
});

describe('npm libraries', () => {
  it('become part of the module, under names that do not say where they lie', async () => {
    const library = {
      'package.json': '{ "name": "money", "version": "1.2.3", "main": "main.js" }',
      'main.js': "exports.add = require('./add.js');\n",
      'add.js': 'module.exports = (a, b) => a.missing.member + b;\n',
    };
    const built: string[] = [];
    for (const place of ['one', 'two/deeper']) {
      const modules = path.join(dir, place, '..', 'node_modules/money');
      mkdirSync(modules, { recursive: true });
      for (const [name, text] of Object.entries(library)) writeFileSync(path.join(modules, name), text);
      mkdirSync(path.join(dir, place), { recursive: true });
      const at = file(`${place}/step.js`, "import { add } from 'money';\nexport default (msg) => add(msg.json().id, 1);\n");
      const ran = await vrsky('run', at, '--input', input, '--json');
      expect(JSON.parse(ran.out).reason).toMatch(/^npm:money@1\.2\.3\/add\.js:1:\d+ TypeError: /);
      built.push((await vrsky('build', at)).out);
    }
    expect(built[0]).toMatch(/^[0-9a-f]{64}\n$/);
    expect(built[1]).toBe(built[0]);
  });

  it('of some size work', async () => {
    mkdirSync(path.join(dir, 'node_modules'), { recursive: true });
    symlinkSync(path.resolve(import.meta.dirname, '../../../node_modules/zod'), path.join(dir, 'node_modules/zod'));
    const at = file(
      'library.ts',
      "import { z } from 'zod';\nconst order = z.object({ id: z.number() });\nexport default (msg: { json(): unknown }) => order.parse(msg.json());\n",
    );
    const ran = await vrsky('run', at, '--input', input, '--json');
    expect(ran.err).toBe('');
    expect(JSON.parse(ran.out)).toMatchObject({ outcome: 'ok', output: '{"id":7}' });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['run'], /required option '--input <file>' not specified/],
    [['run', 'nothing.ts', '--input', input], /^error: nothing\.ts does not exist: name a folder/],
    [['run', step('fine.ts', 'return 1;'), '--input', 'nothing.json'], /^error: nothing\.json does not exist$/m],
    [['run', step('fine.ts', 'return 1;'), '--input', dir], /is a folder$/m],
    [['run', step('fine.ts', 'return 1;'), '--input', input, '--limits', 'time=1'], /^error: There is no limit "time"/],
    [['build', '--kind', 'map'], /Allowed choices are convert, filter/],
    [['test', dir], /^error: There is no vrsky\.json in /],
    [['init', dir], /is not empty: name a new folder/],
    [['publish', step('fine.ts', 'return 1;')], /^error: Which pipeline\? Name it with --pipeline/],
    [['publish', step('fine.ts', 'return 1;'), '--pipeline', 'p'], /^error: Which step of it\?/],
    [['publish', step('fine.ts', 'return 1;'), '--pipeline', 'p', '--step', 's'], /^error: Where is VRSky\?/],
    [['publish', step('fine.ts', 'return 1;'), '--pipeline', 'p', '--step', 's', '--url', 'http://127.0.0.1:1'], /^error: There is no API key/],
    [['publish', '--timeout', 'soon'], /It is a number of seconds/],
  ])('%j ends with 2 and a sentence that says what to do', async (args, sentence) => {
    const { code, out, err } = await vrsky(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/\n {4}at /);
  });
});

describe('--version and --help', () => {
  it('go to stdout', async () => {
    expect(await vrsky('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
    expect(await vrsky('--help')).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: vrsky /), err: '' });
  });
});

describe('docs/cli.md', () => {
  const docs = readFileSync(path.resolve(import.meta.dirname, '../../../docs/cli.md'), 'utf8');

  it.each(['', 'init', 'build', 'run', 'test', 'publish', 'connector check'])('has the help of vrsky %s as it is', async (command) => {
    const { out } = await vrsky(...command.split(' ').filter((word) => word !== ''), '--help');
    expect(docs).toContain(`\`\`\`text\n${out}\`\`\`\n`);
  });

  it('has every exit code with its meaning', () => {
    const rows = Object.values(exitCodes).map(({ code, means }) => `| ${code} | ${means} |`);
    expect(docs).toContain(`${rows.join('\n')}\n\n`);
  });
});
