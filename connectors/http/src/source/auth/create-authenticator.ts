import type { Secret, SecretRef } from '@vrsky/sdk/connector';
import type { AuthSettings } from '../settings.ts';
import { type Authenticator, UnusableSecret } from './authenticator.ts';
import { createBasicAuthenticator, createTokenAuthenticator } from './credentials.ts';
import { createJwtAuthenticator, type KeyFetching } from './json-web-token.ts';
import {
  createGenericAuthenticator,
  createGithubAuthenticator,
  createSlackAuthenticator,
  createStandardWebhooksAuthenticator,
  createStripeAuthenticator,
} from './signatures.ts';

/** What is wrong with each version of the connection's secret, in words for the customer; empty when all of them can be used. */
export function secretProblems(settings: AuthSettings, secretOf: (reference: SecretRef) => Secret, keyFetching: KeyFetching): string[] {
  const reference = 'secret' in settings ? settings.secret : null;
  if (reference === null) return [];
  const secret = secretOf(reference);
  return secret.versions.flatMap((version) => {
    try {
      createAuthenticator(settings, () => ({ ...secret, newest: version, versions: [version] }), keyFetching);
      return [];
    } catch (error) {
      if (!(error instanceof UnusableSecret)) throw error;
      return [`Version ${version.version}: ${error.message}`];
    }
  });
}

/** How a connection knows its sender; null when it does not ask. Throws UnusableSecret. */
export function createAuthenticator(settings: AuthSettings, secretOf: (reference: SecretRef) => Secret, keyFetching: KeyFetching): Authenticator | null {
  switch (settings.scheme) {
    case 'none':
      return null;
    case 'token':
      return createTokenAuthenticator({ ...settings, token: secretOf(settings.token) });
    case 'basic':
      return createBasicAuthenticator({ ...settings, password: secretOf(settings.password) });
    case 'standard-webhooks':
      return createStandardWebhooksAuthenticator(settings, secretOf(settings.secret));
    case 'github':
      return createGithubAuthenticator(secretOf(settings.secret));
    case 'stripe':
      return createStripeAuthenticator(settings, secretOf(settings.secret));
    case 'slack':
      return createSlackAuthenticator(settings, secretOf(settings.secret));
    case 'hmac':
      return createGenericAuthenticator(settings, secretOf(settings.secret));
    case 'jwt':
      return createJwtAuthenticator(settings, keyFetching);
  }
}
