import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// What this program knows of how it is installed: as the package `vrsky`, or as the source in a clone.

interface Manifest {
  version: string;
  peerDependencies?: { assemblyscript: string };
}

const manifest: Manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export const version: string = manifest.version;
export const templatesDir: string = fileURLToPath(new URL('../templates', import.meta.url));

/** How a new project names its dependencies. */
export interface PackageSpecs {
  vrsky: string;
  sdk: string;
  /** The compiler that this version of `vrsky` compiles AssemblyScript with: another one makes other modules. */
  assemblyscript: string;
}

/** By version; from a clone, whose packages are in no registry, as files that are packed now. */
export async function findPackages(): Promise<PackageSpecs> {
  const { peerDependencies } = manifest;
  if (peerDependencies !== undefined) return { vrsky: version, sdk: version, assemblyscript: peerDependencies.assemblyscript };
  // By a computed name, so that the bundler leaves it out.
  const { pack }: typeof import('../pack.ts') = await import(new URL('../pack.ts', import.meta.url).href);
  const packed = await pack();
  return { vrsky: `file:${packed.vrsky}`, sdk: `file:${packed.sdk}`, assemblyscript: packed.assemblyscript };
}
