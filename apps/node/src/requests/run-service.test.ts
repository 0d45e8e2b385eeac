import { contentHash } from '@vrsky/contracts/canonical-json';
import type { RunRequest } from '@vrsky/contracts/run';
import { generateSigningKey, signEnvelope, signingKeyFromSeed } from '@vrsky/contracts/signed';
import { expect, test } from 'vitest';
import { openRequest } from './run-service.ts';

const pair = generateSigningKey();
const key = signingKeyFromSeed('k1', pair.seed);
const trusted = [{ keyId: 'k1', publicKey: pair.publicKey }];
const nowMs = 1_000_000;
const code = 'export default (m) => m';
const request: RunRequest = {
  v: 1,
  tenantId: 'cus_a',
  pool: 'shared',
  issuedAtMs: nowMs - 1_000,
  pipeline: {
    pipelineId: 'pip_1',
    name: 'Orders',
    revision: 1,
    modules: [{ stepId: 's', sha256: contentHash(code), format: 'script', code }],
    steps: [{ id: 's', name: 'S', kind: 'convert' }],
  },
  input: { seq: 1, index: 0 },
};
const open = (part: Partial<RunRequest> = {}, purpose: 'run' | 'bundle' = 'run') =>
  openRequest(JSON.stringify(signEnvelope(purpose, JSON.stringify({ ...request, ...part }), key)), { pool: 'shared', tenantId: 'cus_a', trusted, nowMs });

test('a fresh request for this tenant and pool is taken', () => {
  expect(open()).toEqual(request);
});

test.each([
  ['for another tenant', { tenantId: 'cus_b' }, 'RUN.WRONG_TENANT'],
  ['for another pool', { pool: 'other' }, 'RUN.WRONG_POOL'],
  ['kept for more than a minute', { issuedAtMs: nowMs - 60_001 }, 'RUN.TOO_OLD'],
  ['from the future', { issuedAtMs: nowMs + 10_001 }, 'RUN.TOO_OLD'],
  [
    'with code that is not what its hash says',
    { pipeline: { ...request.pipeline, modules: [{ stepId: 's', sha256: contentHash('other'), format: 'script' as const, code }] } },
    'RUN.CONTENT_CHANGED',
  ],
])('a request %s is refused', (_name, part, expected) => {
  expect(() => open(part)).toThrow(expect.objectContaining({ code: expected }));
});

test('a document signed as something else is no request', () => {
  expect(() => open({}, 'bundle')).toThrow(expect.objectContaining({ code: 'SIGNATURE.WRONG_PURPOSE' }));
});
