import { z } from 'zod';
import { canonicalJson, contentHash } from './canonical-json.ts';
import { type SealContext, type Sealed, seal, unseal } from './seal.ts';
import { secretNameSchema } from './secrets.ts';

const sealedVersionSchema = z.strictObject({ version: z.int().min(1), enc: z.string().max(100), ciphertext: z.string() });

/** A secret on its way to one node. Its values are ciphertext that only this node can open, under this name and in this document. */
export const sealedSecretSchema = z.strictObject({
  id: z.string().min(1).max(64),
  name: secretNameSchema,
  hosts: z.array(z.string()),
  /** All valid ones, the newest first. */
  versions: z.array(sealedVersionSchema).min(1),
});
export type SealedSecretRecord = z.infer<typeof sealedSecretSchema>;

/** What a node gets of a tenant's secrets: those that the pipelines of one bundle refer to. The bundle names the set by its hash. */
export const secretsDocumentSchema = z.strictObject({
  v: z.literal(1),
  nodeId: z.string().min(1).max(64),
  tenantId: z.string().min(1).max(64),
  epoch: z.int().min(1),
  generation: z.int().min(1),
  secrets: z.array(sealedSecretSchema),
});
export type SecretsDocument = z.infer<typeof secretsDocumentSchema>;

/** What a set of secrets is made of, apart from the values: a value never changes under its id and version. */
export interface SecretShape {
  id: string;
  name: string;
  hosts: readonly string[];
  versions: readonly { version: number }[];
}

/** Two sets with the same hash have the same values: it stands in a bundle for the set that its pipelines need. */
export function secretSetHash(secrets: readonly SecretShape[]): string {
  const shapes = secrets.map(({ id, name, hosts, versions }) => ({ id, name, hosts, versions: versions.map(({ version }) => version) }));
  return contentHash(canonicalJson(shapes.sort((a, b) => (a.name < b.name ? -1 : 1))));
}

/** Where a sealed value belongs: it opens nowhere else. */
export interface SecretPlace {
  nodeId: string;
  tenantId: string;
  /** The document: `documentPlace` or `requestPlace`. */
  within: string;
}

export const documentPlace = ({ epoch, generation }: { epoch: number; generation: number }): string => `document ${epoch}.${generation}`;
export const requestPlace = (issuedAtMs: number): string => `request ${issuedAtMs}`;

type Version = Pick<SealedSecretRecord, 'id' | 'name'> & { version: number };

const contextOf = ({ nodeId, tenantId, within }: SecretPlace, { id, name, version }: Version): SealContext => ({
  info: 'vrsky/seal/1',
  aad: [nodeId, tenantId, 'secret', id, name, String(version), within],
});

/** Seals one version's value to a node. */
export function sealSecret(sealKey: string, place: SecretPlace, version: Version, value: Uint8Array): Sealed {
  return seal(sealKey, contextOf(place, version), value);
}

/** Opens it again. Throws AppError `SEAL.REFUSED`. */
export function unsealSecret(sealPrivateKey: string, place: SecretPlace, version: Version, sealed: Sealed): Buffer {
  return unseal(sealPrivateKey, contextOf(place, version), sealed);
}
