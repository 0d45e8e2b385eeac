import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export interface Browser {
  executablePath: string;
  env: Record<string, string>;
  /** Chromium's own sandbox does not run as root. */
  chromiumSandbox: boolean;
}

/** The Chromium of the tests: the person's own choice, else the system's, else the one that comes with npm. */
export function findBrowser(): Browser {
  const chromiumSandbox = process.getuid?.() !== 0;
  for (const candidate of [process.env.VRSKY_CHROMIUM, '/usr/bin/chromium-headless-shell', '/usr/bin/chromium']) {
    if (candidate !== undefined && existsSync(candidate)) return { executablePath: candidate, env: {}, chromiumSandbox };
  }
  const folder = unpacked();
  const executablePath = path.join(folder, 'chromium');
  const fonts: Record<string, string> = existsSync('/etc/fonts') ? {} : { FONTCONFIG_PATH: path.join(folder, 'fonts') };
  return { executablePath, env: { ...fonts, ...missingLibraries(executablePath, folder) }, chromiumSandbox };
}

/** The npm package holds the browser packed; it is unpacked once, beside and then renamed, so that half a browser is never run. */
function unpacked(): string {
  const manifest = path.join(path.dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..', 'package.json');
  const { version } = createRequire(import.meta.url)(manifest) as { version: string };
  const cache = path.resolve(import.meta.dirname, '..', '.vrsky', 'cache');
  const folder = path.join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const half = mkdtempSync(path.join(cache, 'chromium-half-'));
  const script = `
    const { default: chromium, inflate } = await import('@sparticuz/chromium');
    await chromium.executablePath();
    await inflate(${JSON.stringify(path.join(path.dirname(manifest), 'bin', 'al2023.tar.br'))});`;
  // The package unpacks to the system's temporary folder under fixed names: give it one of its own.
  const result = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    env: { ...process.env, TMPDIR: half },
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(`Chromium could not be unpacked: ${result.stderr}`);
  try {
    renameSync(half, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(half, { recursive: true }); // another run was faster
  }
  return folder;
}

/** Where the system lacks NSS and its like, the package's own copies do. */
function missingLibraries(executablePath: string, folder: string): Record<string, string> {
  const { status, stderr } = spawnSync(executablePath, ['--version'], { encoding: 'utf8' });
  if (status === 0 || !stderr.includes('shared libraries')) return {};
  return { LD_LIBRARY_PATH: path.join(folder, 'al2023', 'lib') };
}
