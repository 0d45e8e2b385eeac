import type { Bundle, Fence } from '@vrsky/contracts/bundle';
import { canonicalJson, contentHash } from '@vrsky/contracts/canonical-json';
import { pipelineSpecSchema } from '@vrsky/contracts/pipeline-spec';
import { generateSigningKey, signEnvelope, signingKeyFromSeed } from '@vrsky/contracts/signed';
import { describe, expect, test } from 'vitest';
import { judgeBundle, judgeGrant, judgeHead, type Standing } from './judge-documents.ts';
import { planPipelines } from './pipeline-plan.ts';

const pair = generateSigningKey();
const key = signingKeyFromSeed('k1', pair.seed);
const stranger = signingKeyFromSeed('k1', generateSigningKey().seed);
const trusted = [{ keyId: 'k1', publicKey: pair.publicKey }];

const code = 'export default (m) => m';
const spec = pipelineSpecSchema.parse({
  v: 1,
  source: { id: 'in', name: 'Webhook', connector: 'http', settings: { path: `in_${'0'.repeat(24)}` } },
  steps: [{ id: 'reshape', name: 'Reshape', kind: 'convert', language: 'typescript', source: code }],
  destinations: [{ id: 'out', name: 'Out', connector: 'http', settings: { url: 'http://127.0.0.1:1/x' } }],
});

function bundle(part: Partial<Bundle> = {}): Bundle {
  return {
    v: 1,
    tenantId: 'cus_a',
    pool: 'shared',
    epoch: 1,
    generation: 5,
    issuedAt: new Date(0).toISOString(),
    pipelines: [
      {
        pipelineId: 'pip_1',
        name: 'Orders',
        revision: 2,
        hash: contentHash(canonicalJson(spec)),
        spec,
        modules: [{ stepId: 'reshape', sha256: contentHash(code), format: 'script', code }],
      },
    ],
    ...part,
  };
}

const signed = (value: unknown, purpose: 'bundle' | 'head' | 'grant' = 'bundle', by = key) => JSON.stringify(signEnvelope(purpose, canonicalJson(value), by));
const standing = (fence: Fence, value: unknown): Standing => ({ fence, payload: canonicalJson(value) });
const ask = (text: string, part: object = {}) => judgeBundle({ text, pool: 'shared', tenantId: 'cus_a', trusted, standing: null, ...part });

describe('a bundle', () => {
  test('that is signed, ours and newer is accepted', () => {
    expect(ask(signed(bundle()))).toMatchObject({ verdict: 'accept', standing: { fence: { epoch: 1, generation: 5 } } });
    expect(ask(signed(bundle()), { standing: standing({ epoch: 1, generation: 4 }, {}) })).toMatchObject({ verdict: 'accept' });
    expect(ask(signed(bundle({ epoch: 2, generation: 1 })), { standing: standing({ epoch: 1, generation: 900 }, {}) })).toMatchObject({ verdict: 'accept' });
  });

  test('that we hold is the same', () => {
    expect(ask(signed(bundle()), { standing: standing({ epoch: 1, generation: 5 }, bundle()) })).toEqual({ verdict: 'same' });
  });

  test('changed after signing is refused, and nothing in it is believed', () => {
    const text = signed(bundle()).replace('Orders', 'Others');
    expect(ask(text)).toMatchObject({ verdict: 'refuse', code: 'SIGNATURE.INVALID', fence: null });
  });

  test.each([
    ['signed by a stranger', () => signed(bundle(), 'bundle', stranger), 'SIGNATURE.INVALID'],
    ['signed as something else', () => signed(bundle(), 'grant'), 'SIGNATURE.WRONG_PURPOSE'],
    ['not an envelope', () => '{}', 'SIGNATURE.MALFORMED'],
    ['not JSON', () => 'hello', 'SIGNATURE.MALFORMED'],
    ['of another shape', () => signed({ v: 1 }), 'DOCUMENT.MALFORMED'],
    ['of another tenant', () => signed(bundle({ tenantId: 'cus_b' })), 'BUNDLE.WRONG_TENANT'],
    ['of another pool', () => signed(bundle({ pool: 'dedicated' })), 'BUNDLE.WRONG_POOL'],
    [
      'with code that does not match its hash',
      () =>
        signed(
          bundle({
            pipelines: bundle().pipelines.map((p) => ({ ...p, modules: [{ stepId: 'reshape', sha256: contentHash('other'), format: 'script', code }] })),
          }),
        ),
      'BUNDLE.CONTENT_CHANGED',
    ],
    ['with a step without code', () => signed(bundle({ pipelines: bundle().pipelines.map((p) => ({ ...p, modules: [] })) })), 'BUNDLE.CONTENT_CHANGED'],
    [
      'with a spec that does not match its hash',
      () => signed(bundle({ pipelines: bundle().pipelines.map((p) => ({ ...p, hash: contentHash('x') })) })),
      'BUNDLE.CONTENT_CHANGED',
    ],
  ])('%s is refused', (_name, text, expected) => {
    expect(ask(text())).toMatchObject({ verdict: 'refuse', code: expected });
  });

  test('older than the one we hold is refused', () => {
    expect(ask(signed(bundle()), { standing: standing({ epoch: 1, generation: 6 }, {}) })).toMatchObject({
      verdict: 'refuse',
      code: 'BUNDLE.OLDER',
      fence: { epoch: 1, generation: 5 },
    });
  });

  test("older than the pool's head is refused, also by a node that holds nothing", () => {
    expect(ask(signed(bundle()), { least: { epoch: 1, generation: 6 } })).toMatchObject({ verdict: 'refuse', code: 'BUNDLE.OLDER' });
  });

  test('of the same generation with other content is refused', () => {
    expect(ask(signed(bundle()), { standing: standing({ epoch: 1, generation: 5 }, bundle({ pipelines: [] })) })).toMatchObject({
      verdict: 'refuse',
      code: 'BUNDLE.CONFLICT',
    });
  });

  test('becomes a plan with connections named after their pipeline', () => {
    const [plan] = planPipelines(bundle());
    expect(plan).toMatchObject({
      tenantId: 'cus_a',
      sourceConnectionId: 'pip_1/in',
    });
    expect([...(plan?.stages ?? [])]).toMatchObject([
      ['', { steps: [{ stepId: 'reshape', code }], destinations: [{ id: 'out', connectionId: 'pip_1/out', deadlineMs: 15_000, answerBytesMax: 0 }] }],
    ]);
    expect(plan?.connections.map(({ connectionId, role }) => [connectionId, role])).toEqual([
      ['pip_1/in', 'source'],
      ['pip_1/out', 'destination'],
    ]);
  });
});

const grant = { v: 1, nodeId: 'nod_1', tenantId: 'cus_a', epoch: 1, generation: 5, natsJwt: 'jwt', sealedProofKey: { enc: 'e', ciphertext: 'c' } };
const askGrant = (value: object, part: object = {}) =>
  judgeGrant({ text: signed(value, 'grant'), nodeId: 'nod_1', tenantId: 'cus_a', trusted, standing: null, ...part });

describe('a grant', () => {
  test('of this node and tenant is accepted', () => {
    expect(askGrant(grant)).toMatchObject({ verdict: 'accept', value: { natsJwt: 'jwt' } });
  });

  test.each([
    [{ nodeId: 'nod_2' }, 'GRANT.WRONG_NODE'],
    [{ tenantId: 'cus_b' }, 'GRANT.WRONG_TENANT'],
  ])('with %j is refused', (part, expected) => {
    expect(askGrant({ ...grant, ...part })).toMatchObject({ verdict: 'refuse', code: expected });
  });

  test('put back after a newer one is refused', () => {
    expect(askGrant(grant, { standing: standing({ epoch: 1, generation: 6 }, {}) })).toMatchObject({ verdict: 'refuse', code: 'GRANT.OLDER' });
  });
});

describe('a head', () => {
  const head = {
    v: 1,
    pool: 'shared',
    epoch: 1,
    generation: 9,
    issuedAt: new Date(0).toISOString(),
    tenants: { cus_a: { epoch: 1, generation: 5, hash: contentHash('x') } },
  };
  test('of our pool is accepted, of another refused, an older one refused', () => {
    expect(judgeHead({ text: signed(head, 'head'), pool: 'shared', trusted, standing: null })).toMatchObject({ verdict: 'accept' });
    expect(judgeHead({ text: signed(head, 'head'), pool: 'other', trusted, standing: null })).toMatchObject({ verdict: 'refuse', code: 'HEAD.WRONG_POOL' });
    expect(judgeHead({ text: signed(head, 'head'), pool: 'shared', trusted, standing: standing({ epoch: 1, generation: 10 }, {}) })).toMatchObject({
      verdict: 'refuse',
      code: 'HEAD.OLDER',
    });
  });
});
