// Makes a fresh clone ready with Node 20 or newer and npm alone. Runs before anything is installed: built-ins only, plain JavaScript.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const OLDEST_NODE = 20;
const OWN_NODE = 24;
/** What the packages take on disk, and a little more. */
const INSTALL_BYTES = 2 * 2 ** 30;
const LOCK_WAIT_MS = 15 * 60_000;

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..');
const state = path.join(root, '.vrsky');
const ownNode = path.join(root, 'node_modules', '.bin', 'node');

/** A failure that a person can act on: printed as it is, without a stack. */
class Sentence extends Error {}

try {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE)
    throw new Sentence(`Node.js ${OLDEST_NODE} or newer is needed; this is ${process.versions.node}: install a newer one from https://nodejs.org`);
  lock();
  step('packages', packages);
  prepare();
} catch (error) {
  console.error(sentenceOf(error));
  process.exitCode = 1;
}

function step(name, work) {
  const startedAt = performance.now();
  process.stdout.write(`  ${name.padEnd(16)} `);
  let result = 'failed';
  try {
    result = work();
  } finally {
    console.log(`${result.padEnd(46)} ${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`);
  }
}

/** One bootstrap at a time in a clone: two `npm ci` destroy each other. The holder's pid is inside, so a dead holder blocks nobody. */
function lock() {
  // Not `recursive`: on a read-only disk that reports ENOENT, which says nothing.
  if (!fs.existsSync(state)) fs.mkdirSync(state);
  const file = path.join(state, 'bootstrap.lock');
  for (let waitedMs = 0; ; waitedMs += 200) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      process.once('exit', () => fs.rmSync(file, { force: true }));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readIfThere(file);
    if (holder !== null && holder !== '' && !isRunning(Number(holder))) {
      removeDeadLock(file, holder);
      continue;
    }
    if (waitedMs === 0) console.log('  waiting for another set-up of this folder to finish');
    if (waitedMs > LOCK_WAIT_MS) throw new Sentence(`Another set-up (process ${holder}) has held ${file} for 15 minutes: end it and try again`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/** Two may find the same dead lock: who moved away somebody's new one instead puts it back. */
function removeDeadLock(file, holder) {
  const aside = `${file}.${process.pid}`;
  try {
    fs.renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (fs.readFileSync(aside, 'utf8') !== holder) fs.linkSync(aside, file);
  fs.rmSync(aside, { force: true });
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/** `npm ci`, when what is installed is not what the lock file says. */
function packages() {
  if (isInstalled() && nodeVersion() !== null) return `unchanged, Node ${nodeVersion()}`;

  const { bavail, bsize } = fs.statfsSync(root);
  if (bavail * bsize < INSTALL_BYTES) throw new Sentence(diskFull());

  // No package's install script runs: none of ours needs one. The person's own npm settings must not leave out the Node binary.
  const env = {
    ...process.env,
    PATH: pathWithout(path.join(root, 'node_modules', '.bin')),
    npm_config_engine_strict: 'false',
    npm_config_omit: '',
    npm_config_include: '',
    npm_config_optional: '',
    npm_config_production: '',
    NODE_ENV: '',
  };
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    shell: process.platform === 'win32',
  });
  if (npm.error?.code === 'ENOENT') throw new Sentence('npm is needed and there is none on PATH: install Node.js with npm from https://nodejs.org');
  if (npm.status !== 0) throw new Sentence(npmSentence(npm.stderr ?? ''));

  const version = nodeVersion();
  if (version === null)
    throw new Sentence(
      `Node ${OWN_NODE} should have come with npm ci, but there is none at ${ownNode}: this platform (${process.platform}-${process.arch}) is not supported`,
    );
  return `installed, Node ${version}`;
}

/** npm writes down what it installed as its last act, in the lock file's own form; optional packages may be missing on this platform. */
function isInstalled() {
  const written = readIfThere(path.join(root, 'node_modules', '.package-lock.json'));
  if (written === null) return false;
  const there = JSON.parse(written).packages;
  const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const inModules = Object.entries(wanted).filter(([where]) => where.includes('node_modules/'));
  return inModules.every(([where, entry]) =>
    there[where] === undefined ? entry.optional === true : there[where].version === entry.version && there[where].integrity === entry.integrity,
  );
}

function npmSentence(output) {
  if (/ENOSPC/.test(output)) return diskFull();
  if (/EROFS|EACCES|EPERM/.test(output)) return cannotWrite(path.join(root, 'node_modules'));
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET/.test(output))
    return `${output.trim()}\nnpm could not reach the package registry: check the network and run it again`;
  return `${output.slice(0, 2_000).trim()}\nnpm ci failed: the reason is above`;
}

/** The version of the project's own Node, or null while it is not there. */
function nodeVersion() {
  const answer = spawnSync(ownNode, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  const version = answer.status === 0 ? answer.stdout.trim() : '';
  return Number(version.split('.')[0]) >= OWN_NODE ? version : null;
}

function pathWithout(folder) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((entry) => path.resolve(entry) !== folder)
    .join(path.delimiter);
}

/** The rest of the set-up is TypeScript, which the project's own Node runs. */
function prepare() {
  const env = { ...process.env, PATH: `${path.join(root, 'node_modules', '.bin')}${path.delimiter}${process.env.PATH}` };
  const { status } = spawnSync(ownNode, [path.join(root, 'tools', 'prepare.ts')], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}

function sentenceOf(error) {
  if (error instanceof Sentence) return error.message;
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return diskFull();
  if (['EROFS', 'EACCES', 'EPERM'].includes(error.code)) return cannotWrite(error.path ?? root);
  return error.stack;
}

function diskFull() {
  return `The disk that holds ${root} is full: free some space and run it again`;
}

function cannotWrite(where) {
  return `${where} cannot be written by ${os.userInfo().username}: use a clone in a folder that can`;
}
