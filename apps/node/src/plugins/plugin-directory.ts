import { watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type ConnectorManifest, connectorManifestSchema } from '@vrsky/contracts/connector-manifest';
import { limits } from '@vrsky/contracts/limits';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';

/** A program in the directory, and what stands beside it. */
export interface PluginFile {
  readonly file: string;
  readonly manifest: ConnectorManifest;
  /** Changes whenever the program or its manifest does. */
  readonly state: string;
}

export interface DirectoryListing {
  plugins: PluginFile[];
  /** Files that cannot be taken, and why. */
  problems: { file: string; reason: string }[];
}

const POLL_MS = 2_000;
/** A file that is still being written changes; it is taken once it has been quiet for this long. */
const QUIET_MS = 300;
const MANIFEST_BYTES_MAX = 65_536;

/** Every executable file directly in `dir` is a connector; `<file>.json` beside it is its manifest. A directory that is not there is empty. */
export async function listPlugins(dir: string, nowMs: number = Date.now()): Promise<DirectoryListing & { isSettled: boolean }> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const listing: DirectoryListing & { isSettled: boolean } = { plugins: [], problems: [], isSettled: true };
  for (const name of names.sort()) {
    if (name.startsWith('.') || name.endsWith('.json')) continue;
    const file = path.join(dir, name);
    const found = await stat(file).catch(() => null); // gone since the directory was read
    if (found === null || !found.isFile()) continue;
    if ((found.mode & 0o111) === 0) {
      listing.problems.push({ file: name, reason: 'It is not executable: `chmod +x` it, or move it away.' });
      continue;
    }
    if (nowMs - found.mtimeMs < QUIET_MS) {
      listing.isSettled = false;
      continue;
    }
    if (listing.plugins.length === limits.connectorsPerNodeMax) {
      listing.problems.push({ file: name, reason: `A node takes at most ${limits.connectorsPerNodeMax} connectors.` });
      continue;
    }
    const manifest = await readManifest(`${file}.json`);
    if ('problem' in manifest) listing.problems.push({ file: `${name}.json`, reason: manifest.problem });
    else listing.plugins.push({ file, manifest: manifest.value, state: `${found.ino} ${found.size} ${found.mtimeMs} ${JSON.stringify(manifest.value)}` });
  }
  return listing;
}

async function readManifest(file: string): Promise<{ value: ConnectorManifest } | { problem: string }> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { value: connectorManifestSchema.parse({}) };
    return { problem: `It cannot be read (${(error as NodeJS.ErrnoException).code}).` };
  }
  if (text.length > MANIFEST_BYTES_MAX) return { problem: `A manifest has at most ${MANIFEST_BYTES_MAX} bytes.` };
  try {
    const parsed = connectorManifestSchema.safeParse(JSON.parse(text));
    return parsed.success ? { value: parsed.data } : { problem: `The manifest is not right: ${z.prettifyError(parsed.error)}` };
  } catch {
    return { problem: 'The manifest is not JSON.' };
  }
}

/** Calls `onChange` with what is there now and after every change, one call at a time, until `stop` aborts. */
export async function followPlugins(dir: string, onChange: (listing: DirectoryListing) => Promise<void>, stop: AbortSignal, log: Log): Promise<void> {
  let before = '';
  let wake = Promise.withResolvers<void>();
  const watcher = watchIfThere(dir, () => wake.resolve());
  stop.addEventListener('abort', () => watcher?.close(), { once: true });
  while (!stop.aborted) {
    let waitMs = POLL_MS;
    try {
      const listing = await listPlugins(dir);
      if (!listing.isSettled) waitMs = QUIET_MS;
      const now = JSON.stringify([listing.plugins.map(({ file, state }) => [file, state]), listing.problems]);
      if (now !== before) {
        before = now;
        await onChange(listing);
      }
    } catch (error) {
      log.error({ err: error, dir }, 'the directory of connectors cannot be read');
    }
    await Promise.race([wake.promise, sleep(waitMs, stop)]);
    wake = Promise.withResolvers();
  }
}

/** Only a hint that saves waiting: what counts is what the directory holds. */
function watchIfThere(dir: string, onEvent: () => void): ReturnType<typeof watch> | null {
  try {
    const watcher = watch(dir, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null; // not there yet, or no watches left: polling finds it
  }
}
