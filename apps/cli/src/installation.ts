import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// What this program knows of how it is installed: as the package `vrsky`, or as the source in a clone.

interface Manifest {
  version: string;
  /** Of the packed package alone. */
  peerDependencies?: { assemblyscript: string };
  templates?: TemplateVersions;
}

/** Versions that new projects depend on beside ours. */
export interface TemplateVersions {
  zod: string;
  typesNode: string;
}

const manifest: Manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export const version: string = manifest.version;
export const templatesDir: string = fileURLToPath(new URL('../templates', import.meta.url));

/** How a new project names its dependencies. */
export interface PackageSpecs extends TemplateVersions, Record<string, string> {
  vrsky: string;
  sdk: string;
  /** The compiler that this version of `vrsky` compiles AssemblyScript with: another one makes other modules. */
  assemblyscript: string;
}

/** By version; from a clone, whose packages are in no registry, as files that are packed now. */
export async function findPackages(): Promise<PackageSpecs> {
  const { peerDependencies, templates } = manifest;
  if (peerDependencies !== undefined && templates !== undefined)
    return { vrsky: version, sdk: version, assemblyscript: peerDependencies.assemblyscript, ...templates };
  // By a computed name, so that the bundler leaves it out.
  const { pack }: typeof import('../pack.ts') = await import(new URL('../pack.ts', import.meta.url).href);
  const packed = await pack();
  return { vrsky: `file:${packed.vrsky}`, sdk: `file:${packed.sdk}`, assemblyscript: packed.assemblyscript, ...packed.templates };
}

/** The folder of the Go SDK's module: in the package, or in the clone. */
export function findGoSdk(): string {
  const places = ['../go-sdk', '../../../sdk/go'].map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = places.find((place) => existsSync(`${place}/go.mod`));
  if (found === undefined) throw new Error(`bug: there is no Go SDK in ${places.join(' or ')}`);
  return found;
}
