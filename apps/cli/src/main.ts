#!/usr/bin/env node
import module from 'node:module';
import { readSettings } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import { runProgram } from './program.ts';
import { createTerminal } from './terminal.ts';

// Node 22 and later keep what they compiled: the compilers are large.
module.enableCompileCache?.();

// A reader that has seen enough (`vrsky … | head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const settings = readSettings(process.env);
try {
  process.exitCode = await runProgram(process.argv.slice(2), settings, createTerminal(process, settings.colours));
} catch (error) {
  process.stderr.write(`vrsky failed, which is a fault of its own: ${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = exitCodes.bug.code;
}
