import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@vrsky/kernel/errors';

/** A connector's program, named by its content. */
export interface Release {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /**
   * A path to run it from, whose bytes were hashed just now and which only the node can write. Throws AppError `PLUGIN.CHANGED` when what
   * is kept is no longer what was admitted, `PLUGIN.NOT_INSTALLED` when it is gone.
   */
  stage(): Promise<string>;
}

/** Keeps programs by their content: what ran yesterday can run today, whatever became of the file it came from. */
export interface ReleaseStore {
  /** Copies a file in. What is hashed is what is written: a file that is swapped meanwhile changes nothing. Throws AppError `PLUGIN.RELEASE`. */
  admit(file: string): Promise<Release>;
  /** A release by its digest, if it was ever admitted here. */
  find(digest: string): Promise<Release | null>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A connector is a program of tens of megabytes at the most. */
const RELEASE_BYTES_MAX = 256 * 1_048_576;

/**
 * `dir` keeps the releases and is the node's alone. They are run from a folder in the temporary directory, since a connector of another
 * user may not look into `dir`; that folder lives as long as the store.
 */
export async function openReleaseStore(dir: string): Promise<ReleaseStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const stageDir = await mkdtemp(path.join(tmpdir(), 'vrsky-r-'));
  await chmod(stageDir, 0o711); // a name must be known to be opened, and nobody else writes
  const staged = new Map<string, Promise<string>>();

  const keptAt = (digest: string): string => path.join(dir, fileNameOf(digest));

  /** One copy for all processes of a release; one that was changed is copied anew. */
  const stage = async (digest: string): Promise<string> => {
    const found = staged.get(digest);
    if (found !== undefined) {
      const file = await found;
      if ((await hashOf(file)) === digest) return file;
    }
    const copying = copyVerified(keptAt(digest), path.join(stageDir, fileNameOf(digest)), digest, 0o555);
    staged.set(digest, copying);
    copying.catch(() => staged.delete(digest));
    return copying;
  };
  const release = (digest: string): Release => ({ digest, stage: () => stage(digest) });

  return {
    async admit(file) {
      const { size } = await stat(file);
      if (size > RELEASE_BYTES_MAX) throw refused(file, `it has ${size} bytes, more than ${RELEASE_BYTES_MAX}`);
      const temporary = path.join(dir, `.new-${randomBytes(8).toString('hex')}`);
      try {
        const digest = await copy(file, temporary, 0o400);
        await rename(temporary, keptAt(digest));
        return release(digest);
      } finally {
        await rm(temporary, { force: true });
      }
    },
    async find(digest) {
      const isThere = await stat(keptAt(digest)).then(
        (found) => found.isFile(),
        () => false,
      );
      return isThere ? release(digest) : null;
    },
    async [Symbol.asyncDispose]() {
      await rm(stageDir, { recursive: true, force: true });
    },
  };
}

const fileNameOf = (digest: string): string => digest.slice('sha256:'.length);

/** Copies and answers the digest of what it wrote. */
async function copy(from: string, to: string, mode: number): Promise<string> {
  const hash = createHash('sha256');
  const target = await open(to, 'wx', mode);
  try {
    for await (const chunk of createReadStream(from)) {
      hash.update(chunk as Buffer);
      await target.appendFile(chunk as Buffer);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  return `sha256:${hash.digest('hex')}`;
}

async function copyVerified(from: string, to: string, digest: string, mode: number): Promise<string> {
  const temporary = `${to}.${randomBytes(8).toString('hex')}`;
  try {
    const found = await copy(from, temporary, 0o600).catch((cause: unknown) => {
      throw new AppError({
        code: 'PLUGIN.NOT_INSTALLED',
        kind: 'not_found',
        source: 'plugin',
        message: `the release ${digest} is no longer on this node`,
        publicMessage: 'This version of the connector is not installed on the node any more. Install it again, or choose another version.',
        cause,
      });
    });
    if (found !== digest)
      throw new AppError({
        code: 'PLUGIN.CHANGED',
        kind: 'precondition',
        source: 'plugin',
        message: `what is kept as ${digest} is ${found}: it was changed on disk and is not run`,
        publicMessage: 'The program of this connector was changed on the node’s disk. It is not run; tell the platform’s operator.',
      });
    await chmod(temporary, mode);
    await rename(temporary, to);
    return to;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function hashOf(file: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return `sha256:${hash.digest('hex')}`;
}

function refused(file: string, problem: string): AppError {
  return new AppError({
    code: 'PLUGIN.RELEASE',
    kind: 'invalid',
    source: 'plugin',
    message: `${file} cannot be a connector: ${problem}`,
    publicMessage: problem,
  });
}
