import { z } from 'zod';

/** What stands in settings instead of a value: `{"$secret": "<name>"}`. */
export const SECRET_NAME = /^[a-z][a-z0-9_-]{0,62}$/;
export const SECRET_NAME_RULE = 'A secret’s name has small letters, digits, - and _, begins with a letter and is at most 63 characters long';
export const secretNameSchema = z.string().regex(SECRET_NAME, SECRET_NAME_RULE);

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const SECRET_HOST = new RegExp(`^((\\*\\.)?${label}(\\.${label})*|\\[[0-9a-f:.]{2,45}\\])(:[0-9]{1,5})?$`);

/** A host that a secret may be sent to: `api.example.com`, `*.example.com`, with a port only on that port. In small letters. */
export const secretHostSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(260, 'A host has at most 260 characters')
  .regex(SECRET_HOST, 'Write a host name such as api.example.com or *.example.com, with a port if it matters; no https:// and no path')
  .refine((host) => Number(/:(\d+)$/.exec(host)?.[1] ?? 1) <= 65_535 && !/:0+$/.test(host), 'A port is a number from 1 to 65535');

/** The names of the secrets that settings refer to, each once. */
export function secretNames(settings: unknown): string[] {
  const names = new Set<string>();
  const waiting: unknown[] = [settings];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    if ('$secret' in value && typeof value.$secret === 'string') names.add(value.$secret);
    else waiting.push(...Object.values(value));
  }
  return [...names].sort();
}
