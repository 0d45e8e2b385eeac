import { isUtf8 } from 'node:buffer';
import { buildStep, resolveTarget, type TargetOptions } from '../build/build-step.ts';
import { describePlace } from '../build/place.ts';
import type { Exit } from '../exit-codes.ts';
import { readFileBytes, shown } from '../project.ts';
import { parseHeaders, parseLimits } from '../run-arguments.ts';
import { openSandbox, type RunResult, testMessage } from '../sandbox.ts';
import type { Terminal } from '../terminal.ts';

export interface RunOptions extends TargetOptions {
  input: string;
  headers: string[];
  limits: string[];
  contentType: string;
  messageId?: string;
  json?: boolean;
}

/** Runs a step on one message, as a node would. The output goes to stdout as it is; what was said and counted to stderr. */
export async function run(given: string | undefined, options: RunOptions, terminal: Terminal): Promise<Exit> {
  const target = resolveTarget(given, options);
  const limits = parseLimits(options.limits);
  const message = {
    ...testMessage,
    payload: options.input === '-' ? await readStdin() : readFileBytes(options.input),
    contentType: options.contentType,
    headers: parseHeaders(options.headers),
    ...(options.messageId !== undefined && { id: options.messageId }),
  };
  const built = await terminal.during(`Building ${shown(target.file)}`, buildStep(target));
  const sandbox = await openSandbox();
  const made = sandbox.run(built.step, message, limits);
  const at = made.line === undefined ? null : built.locate(made.line, made.column ?? 1);
  const reason = made.reason === undefined ? null : at === null ? made.reason : describePlace({ ...at, message: made.reason });
  if (options.json) terminal.out(`${JSON.stringify(toJson(made, reason))}\n`);
  else show(made, reason, terminal);
  return made.result;
}

/** What `--json` prints, documented in docs/cli.md. */
function toJson(made: RunResult, reason: string | null): Record<string, unknown> {
  const { result, output, logs, instructions, limit, durationUs, split, route } = made;
  const isText = output === undefined || isUtf8(output.payload);
  return {
    outcome: result,
    output: output === undefined ? null : Buffer.from(output.payload).toString(isText ? 'utf8' : 'base64'),
    encoding: isText ? 'utf8' : 'base64',
    contentType: output?.contentType ?? null,
    reason,
    ...(route !== undefined && { route }),
    logs,
    instructions,
    ...(split !== undefined && { split }),
    limit,
    durationMs: durationUs / 1_000,
  };
}

function show(made: RunResult, reason: string | null, terminal: Terminal): void {
  const { paint } = terminal;
  for (const line of made.logs) terminal.err(paint.dim(`│ ${line}`));
  if (made.output !== undefined) {
    terminal.out(made.output.payload);
    if (made.output.payload.at(-1) !== newline) terminal.out('\n');
  }
  const word = made.result === 'ok' ? paint.green('ok') : made.result === 'filtered' ? paint.yellow('filtered') : paint.red('failed');
  if (reason !== null) terminal.err(`${word}${made.route === undefined ? '' : ` to ${made.route}`}: ${reason}`);
  terminal.err(`${reason === null ? `${word}, ` : ''}${describeCost(made)}`);
}

const newline = 10;

function describeCost({ instructions, limit, split, durationUs }: RunResult): string {
  const parts = split === undefined ? '' : ` (read ${count(split.decode)}, step ${count(split.logic)}, write ${count(split.encode)})`;
  return `${count(instructions)} of ${count(limit)} instructions${parts}, ${(durationUs / 1_000).toFixed(2)} ms`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
