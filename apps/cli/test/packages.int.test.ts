import { isUtf8 } from 'node:buffer';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compileStep } from '@vrsky/logic/compile';
import { loadEngine } from '@vrsky/logic/engine';
import { createExecutor } from '@vrsky/logic/executor';
import { defaultStepLimits } from '@vrsky/logic/step-limits';
import { scratchDir } from '@vrsky/testkit/scratch';
import { beforeAll, describe, expect, it } from 'vitest';
import { testMessage } from '../src/sandbox.ts';
import { type Ended, execute, executeOffline } from './offline.ts';

// New projects as a person makes them: from a clone, with `npm install`, and from then on without a network.

const main = path.resolve(import.meta.dirname, '../src/main.ts');
const dir = scratchDir('packages');

/** What the sample costs, in any place and on any machine. A change of these is a change of what customers pay. */
const golden = {
  typescript: { convert: 83_157 },
  assemblyscript: { convert: 10_920 },
} as const;

const languages = ['typescript', 'assemblyscript'] as const;

async function newProject(language: (typeof languages)[number], kind: 'convert' | 'filter'): Promise<string> {
  const project = path.join(dir, `${language}-${kind}`);
  const made = await execute(process.execPath, [main, 'init', project, '--template', language, '--kind', kind], { cwd: dir });
  expect(made).toMatchObject({ code: 0, stdout: '' });
  return project;
}

/** `vrsky` as it is installed in the project. */
function vrsky(project: string, args: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ended> {
  return executeOffline(path.join(project, 'node_modules/.bin/vrsky'), args, { cwd: project, ...options });
}

describe.each(languages)('a new project in %s', (language) => {
  let project: string;

  beforeAll(async () => {
    project = await newProject(language, 'convert');
    const installed = await execute('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: project });
    expect(installed, installed.stderr).toMatchObject({ code: 0 });
    expect(installed.stderr).not.toContain('warn');
  });

  it('builds to the same bytes and the same hash, also in another folder', async () => {
    const built = await vrsky(project, ['build', '--json']);
    expect(built).toMatchObject({ code: 0 });
    const about = JSON.parse(built.stdout);
    const module = language === 'typescript' ? 'dist/step.js' : 'dist/step.wasm';
    expect(about).toMatchObject({ file: path.normalize(module), kind: 'convert', language, priceTable: 1 });
    expect({ file: about.file, ...JSON.parse(readFileSync(path.join(project, 'dist/step.json'), 'utf8')) }).toEqual(about);

    const elsewhere = path.join(dir, `elsewhere-${language}`, 'deeper');
    mkdirSync(elsewhere, { recursive: true });
    for (const name of ['src', 'vrsky.json', 'tsconfig.json', 'package.json'])
      cpSync(path.join(project, name), path.join(elsewhere, name), { recursive: true });
    symlinkSync(path.join(project, 'node_modules'), path.join(elsewhere, 'node_modules'));
    expect(await vrsky(elsewhere, ['build'])).toMatchObject({ code: 0, stdout: `${about.sha256}\n` });
    expect(readFileSync(path.join(elsewhere, module)).equals(readFileSync(path.join(project, module)))).toBe(true);
  });

  it('passes its fixtures, and says what differs when one does not hold', async () => {
    const passed = await vrsky(project, ['test', '--json']);
    expect(passed.code).toBe(0);
    expect(JSON.parse(passed.stdout)).toMatchObject({ passed: 2, failed: 0, fixtures: [{ ok: true, reason: null }, { ok: true }] });

    const { expect: right, ...fixture } = JSON.parse(readFileSync(path.join(project, 'fixtures/paid-order.json'), 'utf8'));
    const wrong = { ...fixture, name: 'a wrong total', expect: { ...right, output: { ...right.output, total: 22 } } };
    writeFileSync(path.join(project, 'fixtures/wrong.json'), JSON.stringify(wrong));
    const failed = await vrsky(project, ['test']);
    rmSync(path.join(project, 'fixtures/wrong.json'));
    expect(failed).toMatchObject({ code: 6, stdout: '' });
    expect(failed.stderr).toMatch(/✗ a wrong total.*\n {2}total is 21, not 22\n/);
    expect(failed.stderr).toContain('\n  -   "total": 22\n  +   "total": 21\n');
    expect(failed.stderr.trimEnd().split('\n').at(-1)).toBe('error: 1 of 3 fixtures does not hold');
    expect(failed.stderr).not.toContain('\u001b');
  });

  it('runs a message with the result and the number that the sandbox of a node gives', async () => {
    const ran = await vrsky(project, ['run', '--input', 'sample.json', '--json']);
    expect(ran.code).toBe(0);
    const made = JSON.parse(ran.stdout);
    expect(Object.keys(made)).toEqual(expect.arrayContaining(['outcome', 'output', 'reason', 'logs', 'instructions', 'limit', 'durationMs']));
    expect(made).toMatchObject({ outcome: 'ok', reason: null, logs: ['total 21'], limit: 20_000_000, encoding: 'utf8', contentType: 'application/json' });
    expect(JSON.parse(made.output)).toEqual({ id: 'A-1042', email: 'ada@example.com', total: 21 });

    const isModule = language === 'assemblyscript';
    const source = readFileSync(path.join(project, isModule ? 'dist/step.wasm' : 'dist/step.js')).toString(isModule ? 'base64' : 'utf8');
    const compiled = await compileStep({ kind: 'convert', language: isModule ? 'wasm' : 'typescript', source });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const executor = createExecutor({ engine: await loadEngine(), isUtf8 });
    const message = { ...testMessage, headersJson: '[]', payload: readFileSync(path.join(project, 'sample.json')) };
    const [result] = executor.run({
      tenantId: 't',
      steps: [{ stepId: 's', kind: 'convert', ...compiled }],
      messages: [message],
      capture: true,
      limits: defaultStepLimits,
    });
    expect(made.instructions).toBe(result?.steps[0]?.instructions);
    expect(made.instructions).toBe(golden[language].convert);

    const again = await vrsky(project, ['run', isModule ? 'dist/step.wasm' : 'dist/step.js', '--input', '-', '--json'], {
      input: readFileSync(path.join(project, 'sample.json'), 'utf8'),
    });
    expect(JSON.parse(again.stdout)).toMatchObject({ output: made.output, instructions: made.instructions });
  });

  it('begins a filter that builds and passes its fixtures', async () => {
    const filter = await newProject(language, 'filter');
    symlinkSync(path.join(project, 'node_modules'), path.join(filter, 'node_modules'));
    expect(await vrsky(filter, ['build'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/) });
    const tested = await vrsky(filter, ['test', '--json']);
    expect(tested.code).toBe(0);
    const { passed, failed } = JSON.parse(tested.stdout);
    expect({ passed: passed > 0, failed }).toEqual({ passed: true, failed: 0 });
  });
});
