import { inspect } from 'node:util';
import type { Secret as WireSecret } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import type { Secret, SecretRef, SecretVersion } from '../connector.ts';

/** What a settings schema says of a property that is ours to understand: `"secret"`. */
export const VRSKY_KEYWORD = 'x-vrsky';
export const SECRET_NAME_CHARS_MAX = 128;

/** Values are private fields, and everything that makes text of an object is answered by hand: none of it is in a log or a trace. */
class MaskedVersion implements SecretVersion {
  readonly version: number;
  readonly #value: Uint8Array;
  constructor(version: number, value: Uint8Array) {
    this.version = version;
    this.#value = value;
  }
  bytes(): Buffer {
    return Buffer.from(this.#value);
  }
  text(): string {
    return this.bytes().toString('utf8');
  }
  toString(): string {
    return `[version ${this.version} of a secret]`;
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.toPrimitive](): string {
    return this.toString();
  }
  [inspect.custom](): string {
    return this.toString();
  }
}

class MaskedSecret implements Secret {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly versions: readonly SecretVersion[];
  constructor(name: string, hosts: readonly string[], versions: readonly SecretVersion[]) {
    this.name = name;
    this.hosts = hosts;
    this.versions = versions;
  }
  get newest(): SecretVersion {
    return this.versions[0] as SecretVersion; // one without versions is not made
  }
  toString(): string {
    return `[secret ${this.name}]`;
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.toPrimitive](): string {
    return this.toString();
  }
  [inspect.custom](): string {
    return this.toString();
  }
}

/** The secrets of one connection by name; one without a version is as good as none. */
export function readSecrets(wire: readonly WireSecret[]): Map<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const { name, hosts, versions } of wire) {
    if (versions.length === 0) continue;
    const masked = versions.map(({ version, value }) => new MaskedVersion(version, value));
    secrets.set(name, new MaskedSecret(name, [...hosts], masked));
  }
  return secrets;
}

/** Every `{ "$secret": "<name>" }` in settings, with the JSON Pointer to it. */
export function listSecretRefs(settings: unknown, path = ''): { path: string; name: string }[] {
  if (typeof settings !== 'object' || settings === null) return [];
  if (isSecretRef(settings)) return [{ path, name: settings.$secret }];
  return Object.entries(settings).flatMap(([key, value]) => listSecretRefs(value, `${path}/${escapePointer(key)}`));
}

function isSecretRef(value: object): value is SecretRef {
  return Object.keys(value).length === 1 && typeof (value as Partial<SecretRef>).$secret === 'string';
}

/** One step of a JSON Pointer (RFC 6901). */
export function escapePointer(key: PropertyKey): string {
  return String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}
