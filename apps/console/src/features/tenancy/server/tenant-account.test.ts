import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deriveProofKey, openTenantAccount, sealAccountSeed } from './tenant-account.ts';

const kek = { id: 'kek_1', key: randomBytes(32) };
const row = { id: 'cus_a', accountSeed: sealAccountSeed(kek, 'cus_a', 'SA-seed'), accountKek: 'kek_1' };

describe("a tenant's account seed", () => {
  it('opens under the key it was sealed with, and never looks the same twice', () => {
    expect(openTenantAccount(kek, row)).toEqual({ tenantId: 'cus_a', accountSeed: 'SA-seed' });
    expect(sealAccountSeed(kek, 'cus_a', 'SA-seed')).not.toEqual(row.accountSeed);
    expect(Buffer.from(row.accountSeed).includes('SA-seed')).toBe(false);
  });

  it("does not open in another tenant's row, under another key, or when a bit was changed", () => {
    expect(() => openTenantAccount(kek, { ...row, id: 'cus_b' })).toThrow('does not open in the row of cus_b');
    expect(() => openTenantAccount({ id: 'kek_1', key: randomBytes(32) }, row)).toThrow('does not open');
    expect(() => openTenantAccount({ id: 'kek_2', key: kek.key }, row)).toThrow('sealed under kek_1');
    const changed = row.accountSeed.slice();
    changed[15] = (changed[15] ?? 0) ^ 1;
    expect(() => openTenantAccount(kek, { ...row, accountSeed: changed })).toThrow('does not open');
  });
});

it('each tenant has its own proof key, the same every time', () => {
  expect(deriveProofKey(kek, 'cus_a')).toEqual(deriveProofKey(kek, 'cus_a'));
  expect(deriveProofKey(kek, 'cus_a')).not.toEqual(deriveProofKey(kek, 'cus_b'));
  expect(deriveProofKey(kek, 'cus_a')).toHaveLength(32);
});
