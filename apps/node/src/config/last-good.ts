import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '@vrsky/kernel/log';
import { z } from 'zod';
import { findText, removeDurably, writeDurably } from '../durable-file.ts';

/** The signed documents that a tenant last ran from, exactly as they came: they are verified again when read. */
const lastGoodSchema = z.strictObject({
  v: z.literal(1),
  bundle: z.string(),
  grant: z.string(),
  /** Values in it are ciphertext; null: the bundle needs none. */
  secrets: z.string().nullable().default(null),
  /** Older bundles of which a pipeline still runs, since its newer revision was refused; the newest first. */
  earlier: z.array(z.string()),
});
export type LastGood = Omit<z.infer<typeof lastGoodSchema>, 'v'>;

/** The node's own copy of its configuration, so that it starts without NATS and without the control plane. */
export interface LastGoodStore {
  write(tenantId: string, documents: LastGood): Promise<void>;
  remove(tenantId: string): Promise<void>;
  /** Files that cannot be read are reported and left out: one damaged file must not keep the other tenants down. */
  readAll(): Promise<Map<string, LastGood>>;
  writeHead(text: string): Promise<void>;
  readHead(): Promise<string | null>;
}

export function openLastGoodStore(stateDir: string, log: Log): LastGoodStore {
  const folder = path.join(stateDir, 'bundles');
  const headFile = path.join(stateDir, 'head.json');
  const fileOf = (tenantId: string): string => {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(tenantId)) throw new Error(`bug: ${JSON.stringify(tenantId)} is no name for a file`);
    return path.join(folder, `${tenantId}.json`);
  };
  return {
    write: (tenantId, documents) => writeDurably(fileOf(tenantId), JSON.stringify({ v: 1, ...documents })),
    remove: (tenantId) => removeDurably(fileOf(tenantId)),
    async readAll() {
      const found = new Map<string, LastGood>();
      for (const name of await namesIn(folder)) {
        const tenantId = /^([A-Za-z0-9_-]{1,64})\.json$/.exec(name)?.[1];
        if (tenantId === undefined) continue;
        const documents = parse(await findText(path.join(folder, name)));
        if (documents) found.set(tenantId, documents);
        else log.error({ tenantId, file: path.join(folder, name) }, 'the last good configuration of a tenant is damaged; waiting for the control plane');
      }
      return found;
    },
    writeHead: (text) => writeDurably(headFile, text),
    readHead: () => findText(headFile),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parse(text: string | null): LastGood | null {
  if (text === null) return null;
  try {
    return lastGoodSchema.parse(JSON.parse(text));
  } catch {
    return null; // the caller says so, with the file's name
  }
}
