import { expect, test } from 'vitest';
import { configurationOf } from './configuration.ts';

const at = (generation: number, epoch = 1) => ({ epoch, generation });

test.each([
  ['nothing published', { desired: null, received: null, applied: null, rejected: null }, null],
  ['the wanted generation is applied', { desired: at(4), received: at(4), applied: at(4), rejected: null }, 'applied'],
  ['an old refusal does not matter once applied', { desired: at(4), received: at(4), applied: at(4), rejected: { code: 'X', reason: 'x', at: '' } }, 'applied'],
  ['received and not yet applied', { desired: at(4), received: at(4), applied: at(3), rejected: null }, 'received'],
  ['sent and not yet seen', { desired: at(4), received: at(3), applied: at(3), rejected: null }, 'sent'],
  ['refused', { desired: at(4), received: at(4), applied: at(3), rejected: { code: 'X', reason: 'x', at: '' } }, 'rejected'],
  ['a generation of an older epoch is old whatever its number', { desired: at(1, 2), received: at(9), applied: at(9), rejected: null }, 'sent'],
] as const)('%s', (_name, node, state) => expect(configurationOf(node).state).toBe(state));
