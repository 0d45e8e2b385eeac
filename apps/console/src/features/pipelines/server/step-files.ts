import { createHash } from 'node:crypto';
import { singleton } from '../../../server/singleton.ts';
import type { StepFiles } from '../types.ts';
import { importLogic } from './logic-package.ts';

/** A file for the workers of the step editor. Its name is made of its content: what is under a name never changes. */
interface StepFile {
  name: string;
  contentType: string;
  bytes: Uint8Array;
}

/** Made at the first use: metering the engine takes some 0.2 s. */
const files = singleton('step-files', () => ({ made: undefined as Promise<{ engine: StepFile; types: StepFile }> | undefined }));

export async function stepFiles(): Promise<StepFiles> {
  const { engine, types } = await makeFiles();
  return { engine: toLink(engine), types: toLink(types) };
}

export async function findStepFile(name: string): Promise<StepFile | null> {
  return Object.values(await makeFiles()).find((file) => file.name === name) ?? null;
}

function makeFiles(): Promise<{ engine: StepFile; types: StepFile }> {
  const made = files.made ?? readFiles();
  files.made = made;
  made.catch(() => {
    files.made = undefined;
  });
  return made;
}

async function readFiles(): Promise<{ engine: StepFile; types: StepFile }> {
  const { meteredEngine } = await importLogic('engine');
  const { readStepTypes } = await importLogic('step-types');
  const engine = await meteredEngine();
  const types = new TextEncoder().encode(JSON.stringify(readStepTypes()));
  return { engine: named('engine', 'wasm', 'application/wasm', engine), types: named('types', 'json', 'application/json', types) };
}

function named(what: string, extension: string, contentType: string, bytes: Uint8Array): StepFile {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 20);
  return { name: `${what}-${hash}.${extension}`, contentType, bytes };
}

function toLink({ name, bytes }: StepFile): StepFiles['engine'] {
  return { url: `/api/step-files/${name}`, bytes: bytes.length };
}
