import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describeGate, runGates } from './check.ts';
import { root, run } from './run.ts';
import { sentenceOf } from './sentence.ts';

// What `make test` runs: the gates, then unit, integration and browser tests, all of them also when one fails. The last line counts
// every test and every gate.

interface Count {
  passed: number;
  failed: number;
}

const reports = path.join(root, '.vrsky', 'test-reports');

async function main(): Promise<void> {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const counts = [await gates(), await vitest(), await playwright()];
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  if (failed > 0 || passed === 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
}

async function gates(): Promise<Count> {
  heading('Checks');
  const done = await runGates((gate) => console.log(describeGate(gate)));
  return { passed: done.filter(({ state }) => state === 'passed').length, failed: done.filter(({ state }) => state === 'failed').length };
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

async function vitest(): Promise<Count> {
  heading('Unit tests, and integration tests on real services');
  const file = path.join(reports, 'vitest.json');
  const { code } = await run('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`], { show: true });
  const report = readReport<VitestReport>(file);
  if (report === null) return { passed: 0, failed: 1 };
  // A file that could not even be loaded has failed without a single test in it.
  const broken = report.testResults.filter((result) => result.status === 'failed' && !result.assertionResults.some((test) => test.status === 'failed')).length;
  return honest({ passed: report.numPassedTests, failed: report.numFailedTests + broken }, code);
}

interface PlaywrightReport {
  stats: { expected: number; unexpected: number; flaky: number };
  errors: unknown[];
}

async function playwright(): Promise<Count> {
  if (globSync('e2e/**/*.e2e.ts', { cwd: root, exclude: (name) => name === 'node_modules' }).length === 0) return { passed: 0, failed: 0 };
  heading('Browser tests');
  const file = path.join(reports, 'e2e.json');
  const { code } = await run('playwright', ['test', '--config', 'e2e/playwright.config.ts', '--reporter=list,json'], {
    show: true,
    env: { PLAYWRIGHT_JSON_OUTPUT_FILE: file },
  });
  const report = readReport<PlaywrightReport>(file);
  if (report === null) return { passed: 0, failed: 1 };
  const { expected, unexpected, flaky } = report.stats;
  return honest({ passed: expected, failed: unexpected + flaky + report.errors.length }, code);
}

/** A runner that ended badly without naming a failed test (an unhandled rejection, a crash) has failed all the same. */
function honest(count: Count, code: number): Count {
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

function readReport<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null;
}

function heading(text: string): void {
  console.log(`\n── ${text} ${'─'.repeat(Math.max(0, 100 - text.length))}`);
}

try {
  await main();
} catch (error) {
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
