import type { Secret, SecretRef } from '@vrsky/sdk/connector';
import type { AuthSettings } from '../settings.ts';
import type { Authenticator } from './authenticator.ts';
import { createBasicAuthenticator, createTokenAuthenticator } from './credentials.ts';
import { createJwtAuthenticator, type KeyFetching } from './json-web-token.ts';
import {
  createGenericAuthenticator,
  createGithubAuthenticator,
  createSlackAuthenticator,
  createStandardWebhooksAuthenticator,
  createStripeAuthenticator,
} from './signatures.ts';

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
