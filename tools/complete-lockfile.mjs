// Adds to package-lock.json the platform-specific optional packages that the registry in use does not carry, so that `npm ci`
// accepts the lock file here and other platforms still find their binary elsewhere. Run by `npm run lock` after each change of
// dependencies. Entries added here have no integrity hash: npm fills it in where the package can be had.
import fs from 'node:fs';
import path from 'node:path';

const file = path.resolve(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(fs.readFileSync(file, 'utf8'));
let added = 0;

for (const [at, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = platformOf(name);
    if (platform === null || !/^\d+\.\d+\.\d+/.test(version) || isLocked(at, name)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [platform.cpu],
      ...libcOf(name, platform.os),
      optional: true,
      ...(platform.os === null ? {} : { os: [platform.os] }),
      ...(entry.dev ? { dev: true } : {}),
    };
    added++;
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform packages added`);

/** Looks for the package as Node would from the folder `at`: in its own node_modules, then in every one above. */
function isLocked(at, name) {
  for (let folder = at; ; ) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === '') return false;
    const nested = folder.lastIndexOf('node_modules/');
    folder = nested <= 0 ? '' : folder.slice(0, nested - 1);
  }
}

/** Read from the name, as all such packages write it; null for a package that is not bound to a platform. */
function platformOf(name) {
  const os = [
    [/darwin/, 'darwin'],
    [/win32|windows|[-_]win[-_]/, 'win32'],
    [/android/, 'android'],
    [/freebsd/, 'freebsd'],
    [/openharmony/, 'openharmony'],
    [/linux/, 'linux'],
    [/wasm32|wasi/, null],
  ].find(([pattern]) => pattern.test(name));
  const cpu = [
    [/wasm32|wasi/, 'wasm32'],
    [/arm64|aarch64/, 'arm64'],
    [/ia32/, 'ia32'],
    [/x64|[-_]64$/, 'x64'],
    [/loong64/, 'loong64'],
    [/ppc64/, 'ppc64'],
    [/riscv64/, 'riscv64'],
    [/s390x/, 's390x'],
    [/arm/, 'arm'],
  ].find(([pattern]) => pattern.test(name));
  return os === undefined || cpu === undefined ? null : { os: os[1], cpu: cpu[1] };
}

function libcOf(name, os) {
  if (/musl/.test(name)) return { libc: ['musl'] };
  return /gnu/.test(name) && os === 'linux' ? { libc: ['glibc'] } : {};
}
