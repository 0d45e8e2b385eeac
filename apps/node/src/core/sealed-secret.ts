import { type SealedSecretRecord, type SecretPlace, unsealSecret } from '@vrsky/contracts/sealed-secrets';

/** A secret as a connection has it: its values stay sealed until the moment they are told to the connector. */
export interface SealedSecret {
  readonly name: string;
  /** Host names to which a value may be sent. */
  readonly hosts: readonly string[];
  /** The newest first. */
  readonly versions: readonly SealedVersion[];
}

export interface SealedVersion {
  readonly version: number;
  /** The value, for whoever wipes it after use. Throws AppError `SEAL.REFUSED`. */
  open(): Buffer;
}

/** A tenant's secrets on this node, by name. */
export type TenantSecrets = ReadonlyMap<string, SealedSecret>;

/** What came sealed to this node, as its connections are given it. Nothing is opened here. */
export function toTenantSecrets(records: readonly SealedSecretRecord[], sealPrivateKey: string, place: SecretPlace): TenantSecrets {
  return new Map(
    records.map(({ id, name, hosts, versions }): [string, SealedSecret] => [
      name,
      {
        name,
        hosts,
        versions: versions.map(({ version, ...box }) => ({ version, open: () => unsealSecret(sealPrivateKey, place, { id, name, version }, box) })),
      },
    ]),
  );
}
