import { hash, verify } from '@node-rs/argon2';
import { AppError } from '@vrsky/kernel/errors';

/** OWASP's choice for argon2id: 19 MiB, two passes, one lane. */
const options = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Each check costs 19 MiB and tens of milliseconds of a core; more at a time than this would let strangers stall the console. */
const CHECKS_MAX = 8;
let checks = 0;

export function hashPassword(password: string): Promise<string> {
  return hash(password, options);
}

let stranger: Promise<string> | undefined;

/**
 * Whether this is the password behind `passwordHash`. Without a hash (nobody has this address) it takes as long and says no, so
 * that the time of an answer does not tell who has an account.
 */
export async function isPassword(passwordHash: string | null, password: string): Promise<boolean> {
  if (checks >= CHECKS_MAX)
    throw new AppError({
      code: 'SIGN_IN.BUSY',
      kind: 'exhausted',
      message: `${CHECKS_MAX} password checks are running`,
      publicMessage: 'Many people are signing in right now. Try again in a few seconds.',
      retryAfterMs: 2_000,
    });
  checks++;
  try {
    stranger ??= hashPassword('nobody has this password');
    const matches = await verify(passwordHash ?? (await stranger), password);
    return matches && passwordHash !== null;
  } finally {
    checks--;
  }
}
