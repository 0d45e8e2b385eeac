import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useTemporaryFolder } from './config.ts';
import { eventually } from './eventually.ts';

/** What is made while a test watches. */
export interface Leftovers {
  /** The temporary directory of this process and of all that it starts, until `expectNone`. */
  readonly dir: string;
  /**
   * Rejects when a process is left that was started since (a child of this process, or one that has the temporary directory in its
   * environment or in its arguments, whatever group, session or parent it has), or anything in the temporary directory. It ends and
   * removes what it found, so that the next test begins clean.
   */
  expectNone(): Promise<void>;
}

/** Gives this process a temporary directory of its own, by TMPDIR. */
export function watchLeftovers(): Leftovers {
  const dir = mkdtempSync(join(tmpdir(), 'vrsky-t-'));
  const known = new Set(listProcesses(dir).map(({ pid }) => pid));
  const undo = useTemporaryFolder(dir);
  const find = (): string[] => [
    ...listProcesses(dir)
      .filter(({ pid }) => !known.has(pid))
      .map(describe),
    ...readdirSync(dir).map((name) => `file ${name}`),
  ];
  return {
    dir,
    async expectNone() {
      undo();
      try {
        await eventually(() => find().length === 0, { timeoutMs: 3_000, what: 'nothing to be left' }).catch(() => {
          throw new Error(`left over: ${find().join('; ')}`);
        });
      } finally {
        for (const { pid } of listProcesses(dir)) if (!known.has(pid)) kill(pid);
        rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
}

/** Whether there is such a process, and not only its entry that its parent has not yet read. */
export function isRunning(pid: number): boolean {
  const stat = read(String(pid), 'stat');
  return stat !== '' && !/\) [ZX] /.test(stat);
}

interface Process {
  pid: number;
  command: string;
}

/** Living processes that descend from this one, or carry `mark`. */
function listProcesses(mark: string): Process[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), stat: read(name, 'stat'), command: read(name, 'cmdline').replaceAll('\0', ' '), environment: read(name, 'environ') }))
    .map((one) => ({ ...one, fields: one.stat.slice(one.stat.lastIndexOf(')') + 2).split(' ') }))
    .filter(({ stat, fields: [state = ''] }) => stat !== '' && !'ZX'.includes(state));
  const family = new Set([process.pid]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { pid, fields } of all) if (family.has(Number(fields[1]))) family.add(pid);
  }
  return all.filter(({ pid, command, environment }) => pid !== process.pid && (family.has(pid) || `${command}\0${environment}`.includes(mark)));
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it ended, or is not ours to read
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended meanwhile
  }
}

const describe = ({ pid, command }: Process): string => `process ${pid} (${command.trim()})`;
