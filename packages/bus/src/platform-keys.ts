import { createNkey } from './nkey.ts';

/** The seeds behind every NATS credential of a platform. Secret; JSON-serialisable. */
export interface PlatformKeys {
  operatorSeed: string;
  systemAccountSeed: string;
  systemUserSeed: string;
  controlAccountSeed: string;
  controlUserSeed: string;
}

export function createPlatformKeys(): PlatformKeys {
  return {
    operatorSeed: createNkey('operator').seed,
    systemAccountSeed: createNkey('account').seed,
    systemUserSeed: createNkey('user').seed,
    controlAccountSeed: createNkey('account').seed,
    controlUserSeed: createNkey('user').seed,
  };
}

/** The key of a tenant's account: whoever holds it can let users into the tenant's messages. */
export function createAccountSeed(): string {
  return createNkey('account').seed;
}

/** A client's own key. Its seed stays with the client; the public key goes into a user JWT. */
export function createUserKey(): { seed: string; publicKey: string } {
  const { seed, publicKey } = createNkey('user');
  return { seed, publicKey };
}
