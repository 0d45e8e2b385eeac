import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { buildGoPrograms, goMissing } from '@vrsky/testkit/go';
import { build } from 'esbuild';

/** What is measured in one language: a connector, and the other end of a raw socket. */
export interface Programs {
  language: 'TypeScript' | 'Go';
  connector: string;
  rawPeer: string;
}

/** Each program as one file, as releases are. Go's are left out, with the reason, where there is no Go. */
export async function buildPrograms(dir: string): Promise<{ programs: Programs[]; withoutGo: string | null }> {
  const typescript: Programs = {
    language: 'TypeScript',
    connector: await bundle('../../connector/main.ts', path.join(dir, 'connector')),
    rawPeer: await bundle('raw-peer.ts', path.join(dir, 'raw-peer')),
  };
  const withoutGo = goMissing();
  if (withoutGo !== null) return { programs: [typescript], withoutGo };
  const { benchplugin, benchsocket } = await buildGoPrograms(['benchplugin', 'benchsocket']);
  return { programs: [typescript, { language: 'Go', connector: benchplugin, rawPeer: benchsocket }], withoutGo };
}

async function bundle(entry: string, outfile: string): Promise<string> {
  await build({
    entryPoints: [path.join(import.meta.dirname, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Libraries that are CommonJS call `require` for Node's own modules.
    banner: { js: "#!/usr/bin/env node\nimport { createRequire as $requireOf } from 'node:module';\nconst require = $requireOf(import.meta.url);" },
    legalComments: 'none',
    logLevel: 'warning',
  });
  await chmod(outfile, 0o755);
  return outfile;
}
