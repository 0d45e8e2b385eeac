import { AppError } from '@vrsky/kernel/errors';
import { expect, test } from 'vitest';
import { findOutage } from './outage.ts';

/** An error as Prisma throws it. */
const prisma = (code: string, cause?: Record<string, unknown>): Error =>
  Object.assign(new Error('query failed'), {
    name: 'PrismaClientKnownRequestError',
    code,
    meta: { driverAdapterError: { name: 'DriverAdapterError', cause } },
  });
const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

test.each([
  ['a raw query without a server', prisma('P2010', { kind: 'DatabaseNotReachable' })],
  ['a query without a server', prisma('P1001')],
  ['no connection of the pool in time', prisma('P2024')],
  ['a transaction whose connection broke', prisma('P2028')],
  ['a server that starts', prisma('P2010', { kind: 'postgres', originalCode: '57P03' })],
  ['a server that stops', Object.assign(new Error('terminating connection'), { code: '57P01' })],
  ['pg without a code', new Error('Connection terminated unexpectedly')],
  ['a connection that pg could not make', refused],
])('%s is an outage, with a time to come again', (_name, error) => {
  const found = findOutage(error);
  expect(found).toMatchObject({ code: 'DATABASE.UNAVAILABLE', kind: 'unavailable', retryAfterMs: expect.any(Number), cause: error });
});

test.each([
  ['a violated constraint', prisma('P2002')],
  ['a mistake in a query', prisma('P2010', { kind: 'postgres', originalCode: '42601' })],
  ['a connection refused by somebody else', new TypeError('fetch failed', { cause: refused })],
  ['a failure that has its words already', new AppError({ code: 'BUS.UNAVAILABLE', kind: 'unavailable', message: 'NATS is away', cause: refused })],
  ['an expected failure', new AppError({ code: 'PIPELINE.NOT_FOUND', kind: 'not_found', message: 'there is none' })],
  ['a fault of ours', new TypeError('x is not a function')],
  ['a thrown text', 'text'],
  ['nothing', undefined],
])('%s is none', (_name, error) => {
  expect(findOutage(error)).toBeNull();
});
