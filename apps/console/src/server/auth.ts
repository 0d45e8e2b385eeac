import { findSessionUser, findSignInUser } from '@vrsky/db/sign-in';
import { systemClock } from '@vrsky/kernel/clock';
import { describeError, isAppError } from '@vrsky/kernel/errors';
import type { AuthOptions, User } from 'next-auth';
import Credentials from 'next-auth/providers/credentials';
import { createAttemptLimit } from './attempt-limit.ts';
import { getConsoleConfig } from './config.ts';
import { getDb } from './db.ts';
import { log } from './log.ts';
import { signIns } from './metrics.ts';
import { isPassword } from './passwords.ts';
import type { SessionClaims } from './session.ts';
import { singleton } from './singleton.ts';

const WINDOW_MS = 10 * 60_000;
const SESSION_SECONDS = 7 * 86_400;

const limits = singleton('sign-in-limits', () => ({
  byEmail: createAttemptLimit({ failuresMax: 10, windowMs: WINDOW_MS, keysMax: 10_000, clock: systemClock }),
  // Higher: a whole office may come from one address.
  byAddress: createAttemptLimit({ failuresMax: 100, windowMs: WINDOW_MS, keysMax: 10_000, clock: systemClock }),
}));

/** The user of an address and password, or null. Throws `SignInLimited:<seconds>` and `SignInUnavailable`: what the sign-in page shows. */
export async function signIn(email: string, password: string, address: string): Promise<SignedIn | null> {
  const key = email.trim().toLowerCase().slice(0, 320);
  const waitMs = Math.max(limits.byEmail.waitMs(key), limits.byAddress.waitMs(address));
  if (waitMs > 0) {
    signIns.inc({ result: 'limited' });
    throw new Error(`SignInLimited:${Math.ceil(waitMs / 1_000)}`);
  }
  const signedIn = await check(key, password.slice(0, 1_024));
  signIns.inc({ result: signedIn ? 'ok' : 'refused' });
  if (!signedIn) {
    limits.byEmail.failed(key);
    limits.byAddress.failed(address);
    return null;
  }
  limits.byEmail.succeeded(key);
  return signedIn;
}

type SignedIn = User & SessionClaims;

async function check(email: string, password: string): Promise<SignedIn | null> {
  try {
    const db = getDb();
    const user = await findSignInUser(db, email);
    const matches = await isPassword(user?.passwordHash ?? null, password);
    if (!user || !matches) return null;
    const session = await findSessionUser(db, user.id);
    return session && { id: user.id, email: user.email, name: user.name, userId: user.id, sessionsFromMs: session.sessionsFrom.getTime() };
  } catch (error) {
    if (isAppError(error) && error.kind === 'exhausted') throw new Error(`SignInLimited:${Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)}`, { cause: error });
    log.error({ err: error }, `sign-in failed: ${describeError(error)}`);
    throw new Error('SignInUnavailable', { cause: error });
  }
}

/** next-auth's options; made when first used, since a build has no configuration. */
export function authOptions(): AuthOptions {
  const { config, secrets } = getConsoleConfig();
  return {
    secret: secrets.keys.authSecret,
    useSecureCookies: config.consoleUrl.startsWith('https:'),
    session: { strategy: 'jwt', maxAge: SESSION_SECONDS },
    pages: { signIn: '/sign-in', signOut: '/sign-in', error: '/sign-in' },
    providers: [
      Credentials({
        name: 'E-mail and password',
        credentials: { email: { label: 'E-mail', type: 'email' }, password: { label: 'Password', type: 'password' } },
        authorize: (credentials, request) => signIn(credentials?.email ?? '', credentials?.password ?? '', addressOf(request.headers)),
      }),
    ],
    callbacks: {
      async jwt({ token, user }) {
        if (user) return { sub: user.id, ...claimsOf(user as SignedIn) };
        if (!(await isCurrent(token as unknown as SessionClaims))) throw new Error('the session has ended');
        return token;
      },
      session: ({ session }) => session,
    },
    logger: {
      // An ended session is an everyday event and no error.
      error: (code, metadata) =>
        code === 'JWT_SESSION_ERROR' ? log.debug({ code }, 'a session token was refused') : log.error({ code, metadata }, 'next-auth'),
      warn: (code) => log.warn({ code }, 'next-auth'),
      debug: () => undefined,
    },
  };
}

function claimsOf({ userId, sessionsFromMs }: SessionClaims): SessionClaims {
  return { userId, sessionsFromMs };
}

async function isCurrent({ userId, sessionsFromMs }: SessionClaims): Promise<boolean> {
  const user = await findSessionUser(getDb(), userId);
  return user?.sessionsFrom.getTime() === sessionsFromMs;
}

/** As the server in front of us saw it. It only counts failures: somebody who forges it is still counted by e-mail address. */
function addressOf(headers: Record<string, unknown> | undefined): string {
  const forwarded = headers?.['x-forwarded-for'];
  return typeof forwarded === 'string' ? (forwarded.split(',').at(-1)?.trim() ?? 'unknown') : 'unknown';
}
