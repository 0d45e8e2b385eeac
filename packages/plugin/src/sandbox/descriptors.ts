import { openSync, readdirSync } from 'node:fs';
import { readIfThere } from './processes.ts';

/**
 * For `spawn`: nothing to read, pipes to write to, the bytes for descriptor 3 if there are any, and of what we ourselves were started with
 * nothing. What Node opens is closed in its children, and so are the first descriptors that it finds at its start; what a supervisor left
 * open for us with a higher number would be a plugin's as well.
 */
export function pluginStdio(descriptor3: Buffer | null): (number | 'ignore' | 'pipe')[] {
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe'];
  const inherited = inheritedDescriptors();
  for (let number = 3; number <= Math.max(3, ...inherited); number++) {
    if (number === 3 && descriptor3 !== null) stdio.push('pipe');
    else stdio.push(inherited.has(number) ? nothing() : 'ignore');
  }
  return stdio;
}

/** Writes what a program reads from its descriptor 3. That it ended before it read is seen by its status. */
export function feed(stream: unknown, bytes: Buffer | null): void {
  if (bytes === null) return;
  const pipe = stream as NodeJS.WritableStream;
  pipe.on('error', () => undefined);
  pipe.end(bytes);
}

const CLOSE_ON_EXEC = 0o2000000;

/** Looked for once: only who started us can have opened them. Linux only. */
function inheritedDescriptors(): ReadonlySet<number> {
  inherited ??= new Set(process.platform === 'linux' ? readdirSync('/proc/self/fd').map(Number).filter(isInherited) : []);
  return inherited;
}
let inherited: ReadonlySet<number> | undefined;

function isInherited(number: number): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readIfThere(`/proc/self/fdinfo/${number}`))?.[1];
  return number > 2 && flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
}

function nothing(): number {
  nullDevice ??= openSync('/dev/null', 'r+');
  return nullDevice;
}
let nullDevice: number | undefined;
