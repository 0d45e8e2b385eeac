import { spawn, spawnSync } from 'node:child_process';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, without a terminal. */
export function execute(command: string, args: string[], options: { cwd: string; env?: Record<string, string>; input?: string }): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: { ...plainEnv(), ...options.env } as unknown as NodeJS.ProcessEnv });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}

/** The same without a network, where the system can take it away from one process. */
export function executeOffline(command: string, args: string[], options: Parameters<typeof execute>[2]): Promise<Ended> {
  canUnshare ??= spawnSync('unshare', ['-rn', 'true']).status === 0;
  return canUnshare ? execute('unshare', ['-rn', '--', command, ...args], options) : execute(command, args, options);
}
let canUnshare: boolean | undefined;

/** Our environment without what a test runner puts into it. */
function plainEnv(): Record<string, string | undefined> {
  const { NO_COLOR: _no, FORCE_COLOR: _force, NODE_OPTIONS: _options, VRSKY_URL: _url, VRSKY_API_KEY: _key, ...rest } = process.env;
  return rest;
}
