import { SECRET_NAME_RULE as RULE, SECRET_NAME } from '@vrsky/contracts/secrets';
import { pointerTo } from './pointer.ts';

/** What stands in settings instead of a secret's value. */
export interface SecretReference {
  $secret: string;
}

export const SECRET_NAME_RULE = `${RULE}. Its value does not belong here`;

export const secretReferenceSchema = {
  type: 'object',
  properties: { $secret: { type: 'string', pattern: SECRET_NAME.source } },
  required: ['$secret'],
  additionalProperties: false,
} as const;

export function isSecretReference(value: unknown): value is SecretReference {
  return typeof value === 'object' && value !== null && '$secret' in value && typeof value.$secret === 'string';
}

/** Every secret that settings refer to, with the pointer of the field. */
export function secretReferences(value: unknown, at = ''): { path: string; name: string }[] {
  if (isSecretReference(value)) return [{ path: at, name: value.$secret }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => secretReferences(item, pointerTo(at, key)));
}
