import path from 'node:path';
import { step } from '../progress.ts';
import { root } from '../run.ts';
import { sentenceOf } from '../sentence.ts';
import { readConfig } from './config.ts';
import { keepRunning } from './keep-running.ts';
import { watchParent } from './parent-watch.ts';
import { startStack } from './stack.ts';
import { welcome } from './welcome.ts';

// `make up`: the whole of VRSky on this machine, until Ctrl-C.

async function main(stop: AbortSignal): Promise<void> {
  const config = readConfig(process.env);
  const startedAt = performance.now();
  const stack = await startStack({ ...config, step, stop, env: telemetrySettings() });
  console.log(welcome(stack.dev, { devFile: path.relative(root, path.join(config.dir, 'dev.json')), seconds: (performance.now() - startedAt) / 1000 }));
  await keepRunning(stack, stop);
  console.log('\nStopping');
  await stack.stop();
  console.log('Everything is stopped');
}

/** Traces go where the standard variables say, for every program of the stack. */
function telemetrySettings(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[0].startsWith('OTEL_') && entry[1] !== undefined));
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
const unwatch = watchParent(() => stop.abort());
// A closed terminal or pipe must not keep us from stopping what we started.
process.stdout.on('error', () => stop.abort());

try {
  await main(stop.signal);
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(sentenceOf(error));
    process.exitCode = 1;
  }
} finally {
  unwatch();
}
