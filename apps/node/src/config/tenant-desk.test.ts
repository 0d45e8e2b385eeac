import type { Bundle, Grant } from '@vrsky/contracts/bundle';
import { grantSealContext } from '@vrsky/contracts/bundle';
import { canonicalJson } from '@vrsky/contracts/canonical-json';
import type { Report } from '@vrsky/contracts/node-status';
import { generateSealKey, seal } from '@vrsky/contracts/seal';
import { documentPlace, type SecretsDocument, sealSecret, secretSetHash } from '@vrsky/contracts/sealed-secrets';
import { generateSigningKey, signEnvelope, signingKeyFromSeed } from '@vrsky/contracts/signed';
import { createLog } from '@vrsky/kernel/log';
import { expect, test } from 'vitest';
import type { LastGood } from './last-good.ts';
import { createTenantDesk, type Deployment } from './tenant-desk.ts';

const signing = generateSigningKey();
const key = signingKeyFromSeed('k1', signing.seed);
const sealKey = generateSealKey();

const bundle = (generation: number, part: Partial<Bundle> = {}) =>
  JSON.stringify(
    signEnvelope(
      'bundle',
      canonicalJson({
        v: 1,
        tenantId: 'cus_a',
        pool: 'shared',
        epoch: 1,
        generation,
        issuedAt: new Date(generation).toISOString(),
        pipelines: [],
        ...part,
      } satisfies Bundle),
      key,
    ),
  );
const shapeOf = (...names: string[]) => names.map((name) => ({ id: `sec_${name}`, name, hosts: [], versions: [{ version: 1 }] }));
/** Names the set of these secrets. */
const needing = (...names: string[]): Partial<Bundle> => ({ secrets: secretSetHash(shapeOf(...names)) });
const secretsOf = (generation: number, names: string[], nodeId = 'nod_1') => {
  const place = { nodeId, tenantId: 'cus_a', within: documentPlace({ epoch: 1, generation }) };
  const secrets = shapeOf(...names).map(({ versions: _shape, ...secret }) => ({
    ...secret,
    versions: [{ version: 1, ...sealSecret(sealKey.publicKey, place, { ...secret, version: 1 }, Buffer.from(`value of ${secret.name}`)) }],
  }));
  const document: SecretsDocument = { v: 1, nodeId, tenantId: 'cus_a', epoch: 1, generation, secrets };
  return JSON.stringify(signEnvelope('secrets', canonicalJson(document), key));
};
const grant = (generation: number, sealedTo = sealKey.publicKey) => {
  const sealedProofKey = seal(sealedTo, grantSealContext('nod_1', 'cus_a'), Buffer.from('proof'));
  return JSON.stringify(
    signEnvelope(
      'grant',
      canonicalJson({ v: 1, nodeId: 'nod_1', tenantId: 'cus_a', epoch: 1, generation, natsJwt: `jwt ${generation}`, sealedProofKey } satisfies Grant),
      key,
    ),
  );
};

function trial() {
  const disk = new Map<string, LastGood>();
  const deployed: Deployment[] = [];
  const reports: string[] = [];
  let diskIsFull = false;
  /** What deploying answers. */
  const outcome: { pipelines: Report['pipelines'] } = { pipelines: [] };
  const desk = createTenantDesk({
    tenantId: 'cus_a',
    nodeId: 'nod_1',
    pool: 'shared',
    trusted: [{ keyId: 'k1', publicKey: signing.publicKey }],
    sealPrivateKey: sealKey.privateKey,
    store: {
      async write(tenantId, documents) {
        if (diskIsFull) throw new Error('ENOSPC');
        disk.set(tenantId, documents);
      },
      remove: async (tenantId) => void disk.delete(tenantId),
      readAll: async () => disk,
      writeHead: async () => {},
      readHead: async () => null,
    },
    deployer: {
      async deploy(deployment) {
        // Whatever runs must be on disk already.
        expect(disk.get('cus_a')?.bundle).toContain(`\\"generation\\":${deployment.bundle.generation},`);
        deployed.push(deployment);
        return outcome.pipelines;
      },
      remove: async () => void deployed.splice(0),
    },
    onReport: ({ received, applied, rejected }) =>
      void reports.push(`${received?.generation ?? '-'}/${applied?.generation ?? '-'}${rejected ? ` ${rejected.code}` : ''}`),
    onRejected() {},
    log: createLog('test', 'silent'),
  });
  const fillDisk = (isFull: boolean): void => {
    diskIsFull = isFull;
  };
  return { desk, disk, deployed, reports, fillDisk, outcome };
}

test('a bundle waits for its grant, is written to disk, and then runs', async () => {
  const { desk, disk, deployed, reports } = trial();
  await desk.offerBundle(bundle(5));
  expect([deployed, disk.size]).toEqual([[], 0]);
  await desk.offerGrant(grant(5));
  expect(deployed).toMatchObject([{ bundle: { generation: 5 }, grant: { natsJwt: 'jwt 5' }, proofKey: Buffer.from('proof') }]);
  expect(reports).toEqual(['5/-', '5/5']);
  expect(desk.isBehind()).toBe(false);
});

test('the newer bundle replaces one that still waits; an older one is refused meanwhile', async () => {
  const { desk, deployed, reports } = trial();
  await desk.offerBundle(bundle(5));
  await desk.offerBundle(bundle(4));
  await desk.offerBundle(bundle(6));
  await desk.offerGrant(grant(1));
  expect(deployed.map(({ bundle }) => bundle.generation)).toEqual([6]);
  expect(reports).toEqual(['5/-', '5/- BUNDLE.OLDER', '6/- BUNDLE.OLDER', '6/6']);
});

test('a refused bundle is reported once however often it comes, and the report is over when the right one is back', async () => {
  const { desk, deployed, reports } = trial();
  await desk.offerGrant(grant(1));
  await desk.offerBundle(bundle(5));
  const bad = bundle(9).replace('shared', 'shaped');
  for (let i = 0; i < 3; i++) await desk.offerBundle(bad);
  await desk.offerBundle(bundle(5));
  expect(reports).toEqual(['5/5', '5/5 SIGNATURE.INVALID', '5/5']);
  expect(deployed).toHaveLength(1);
});

test('what cannot be written to disk does not run, and is tried again', async () => {
  const { desk, deployed, reports, fillDisk } = trial();
  await desk.offerGrant(grant(1));
  await desk.offerBundle(bundle(5));
  fillDisk(true);
  await desk.offerBundle(bundle(6));
  expect(reports.at(-1)).toBe('6/5 BUNDLE.NOT_APPLIED');
  desk.setDesired({ epoch: 1, generation: 6 });
  expect(desk.isBehind()).toBe(true);
  fillDisk(false);
  await desk.offerBundle(bundle(6));
  expect(reports.at(-1)).toBe('6/6');
  expect(deployed.map(({ bundle }) => bundle.generation)).toEqual([5, 6]);
});

test('a grant that is sealed to another node is refused, and the one in use stays', async () => {
  const { desk, reports, deployed } = trial();
  await desk.offerGrant(grant(1));
  await desk.offerBundle(bundle(5));
  await desk.offerGrant(grant(2, generateSealKey().publicKey));
  expect(reports.at(-1)).toBe('5/5 BUNDLE.NOT_APPLIED');
  await desk.offerGrant(grant(3));
  expect(deployed.map(({ grant }) => grant.natsJwt)).toEqual(['jwt 1', 'jwt 3']);
  expect(reports.at(-1)).toBe('5/5');
});

test('from disk it starts with what it had, and a replay of an older bundle is refused after that as well', async () => {
  const first = trial();
  await first.desk.offerGrant(grant(1));
  await first.desk.offerBundle(bundle(5));
  const again = trial();
  again.desk.setDesired({ epoch: 1, generation: 7 });
  await again.desk.restore(first.disk.get('cus_a') as LastGood);
  await again.desk.offerBundle(bundle(4));
  expect(again.reports).toEqual(['5/5', '5/5 BUNDLE.OLDER']);
  expect(again.desk.isBehind()).toBe(true);
});

test('a damaged document on disk does not run', async () => {
  const { desk, deployed, reports } = trial();
  await desk.restore({ bundle: bundle(5).replace('cus_a', 'cus_b'), grant: grant(1), secrets: null, earlier: ['nonsense'] });
  expect(deployed).toEqual([]);
  expect(reports.at(-1)).toBe('-/- SIGNATURE.INVALID');
});

test('after its removal nothing of the tenant is left, on disk or running', async () => {
  const { desk, disk, deployed, reports } = trial();
  await desk.offerGrant(grant(1));
  await desk.offerBundle(bundle(5));
  await desk.remove();
  expect([disk.size, deployed.length, reports.at(-1)]).toEqual([0, 0, '5/-']);
});

test('what failed for want of a connector is tried again when the node has another one, and what runs is left alone', async () => {
  const { desk, deployed, outcome } = trial();
  outcome.pipelines = [{ pipelineId: 'pip_1', revision: 1, state: 'failed', reason: 'The connector ftp is not installed on this node.' }];
  await desk.offerBundle(bundle(5));
  await desk.offerGrant(grant(5));
  outcome.pipelines = [{ pipelineId: 'pip_1', revision: 1, state: 'running' }];
  await desk.tryFailed();
  expect(deployed.map((deployment) => deployment.bundle.generation)).toEqual([5, 5]);
  expect(desk.report().pipelines).toEqual(outcome.pipelines);
  await desk.tryFailed();
  expect(deployed.length).toBe(2);
});

const valuesOf = (deployment: Deployment | undefined) =>
  [...(deployment?.secrets ?? [])].map(([name, { versions }]) => `${name}: ${versions.map(({ open }) => open().toString('utf8')).join()}`);

test('a bundle waits for exactly the secrets that it names, whichever comes first, and runs once with them', async () => {
  for (const order of ['secrets first', 'bundle first']) {
    const { desk, deployed, reports } = trial();
    await desk.offerGrant(grant(1));
    const steps = [() => desk.offerSecrets(secretsOf(4, ['a'])), () => desk.offerBundle(bundle(5, needing('a')))];
    for (const step of order === 'secrets first' ? steps : steps.toReversed()) {
      expect(deployed).toEqual([]);
      await step();
    }
    expect(deployed.map(valuesOf)).toEqual([['a: value of a']]);
    expect(reports.at(-1)).toBe('5/5');
  }
});

test('secrets of a bundle that is still to come change nothing that runs', async () => {
  const { desk, deployed, disk } = trial();
  await desk.offerGrant(grant(1));
  await desk.offerSecrets(secretsOf(4, ['a']));
  await desk.offerBundle(bundle(5, needing('a')));
  const before = disk.get('cus_a');
  await desk.offerSecrets(secretsOf(6, ['a', 'b']));
  expect(deployed.length).toBe(1);
  expect(disk.get('cus_a')).toEqual(before);
  // A new grant takes what runs along, not what waits.
  await desk.offerGrant(grant(7));
  expect(valuesOf(deployed.at(-1))).toEqual(['a: value of a']);
  await desk.offerBundle(bundle(8, needing('a', 'b')));
  expect(valuesOf(deployed.at(-1))).toEqual(['a: value of a', 'b: value of b']);
});

test('after a restart the secrets are there from disk, where they lie as ciphertext', async () => {
  const first = trial();
  await first.desk.offerGrant(grant(1));
  await first.desk.offerSecrets(secretsOf(4, ['a']));
  await first.desk.offerBundle(bundle(5, needing('a')));
  const documents = first.disk.get('cus_a') as LastGood;
  for (const form of ['value of a', Buffer.from('value of a').toString('base64url')]) expect(JSON.stringify(documents)).not.toContain(form);
  const again = trial();
  await again.desk.restore(documents);
  expect(again.deployed.map(valuesOf)).toEqual([['a: value of a']]);
});

test("older secrets and another node's are refused with their reason", async () => {
  const { desk, reports } = trial();
  await desk.offerSecrets(secretsOf(4, ['a']));
  await desk.offerSecrets(secretsOf(3, ['a']));
  await desk.offerSecrets(secretsOf(5, ['a'], 'nod_2'));
  expect(reports.map((report) => report.split(' ')[1])).toEqual(['SECRETS.OLDER', 'SECRETS.WRONG_NODE']);
});
