#!/usr/bin/env node
import { firstWords } from './first-words.ts';

/**
 * A plugin for tests that misbehaves in the manner that MISBEHAVE, or its first argument, names. Some manners never come to a
 * handshake (`first-words.ts`), some are plugins but no connectors (`bare.ts`), the others are connectors (`connector.ts`).
 */
const manner = process.env.MISBEHAVE ?? process.argv[2] ?? '';
const beginning = firstWords[manner];
if (beginning !== undefined) await beginning();
else {
  // Not before: gRPC takes a while to load, and a plugin that dies early has none.
  const { bare } = await import('./bare.ts');
  const peer = bare[manner];
  if (peer !== undefined) await peer();
  else await (await import('./connector.ts')).serve(manner);
}
