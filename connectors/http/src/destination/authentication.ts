import type { FieldError, Secret, SecretRef } from '@vrsky/sdk/connector';
import { createAwsSigner } from './aws-signer.ts';
import { endpointOf } from './egress.ts';
import { createOAuthTokens, type OAuthTokens, type PostForm } from './oauth-tokens.ts';
import type { OutgoingRequest } from './request.ts';
import { maySendTo, mayUseFor } from './secret-hosts.ts';
import type { AuthSettings, DestinationSettings } from './settings.ts';
import { createWebhookSigner, SigningKeyInvalid } from './webhook-signature.ts';

/** How the requests of one destination show who sends them. */
export interface Authentication {
  /** Adds what shows it to a request that is otherwise done. Throws, or rejects, when a secret may not go where the request goes. */
  apply(request: OutgoingRequest): void | Promise<void>;
  /** The receiver answered 401 to a request of ours: whether another try can end differently. */
  renew(request: OutgoingRequest): boolean;
  /** Texts that a receiver may have repeated and that nobody is to read. */
  sensitive(): string[];
}

/** A secret would have gone to a host that it may not be sent to. */
export class SecretForbidden extends Error {
  readonly code = 'SECRET_FORBIDDEN';
  readonly secretName: string;
  readonly host: string;
  constructor(secretName: string, host: string) {
    super(`the secret ${secretName} may not be sent to ${host}`);
    this.secretName = secretName;
    this.host = host;
  }
}

export type SecretOf = (reference: SecretRef) => Secret;

interface Use {
  /** JSON Pointer into the settings. */
  path: string;
  reference: SecretRef;
  url: URL;
  /** The value itself leaves; otherwise it only signs. */
  isSent: boolean;
}

/** Where which secret of a destination is used. */
function listUses({ auth, signing, tls }: DestinationSettings, origin: URL): Use[] {
  const uses: Use[] = [];
  const add = (path: string, reference: SecretRef | undefined, isSent: boolean, url = origin): void => {
    if (reference !== undefined) uses.push({ path, reference, url, isSent });
  };
  switch (auth?.scheme) {
    case 'bearer':
      add('/auth/token', auth.token, true);
      break;
    case 'basic':
      add('/auth/password', auth.password, true);
      break;
    case 'api_key':
      add('/auth/value', auth.value, true);
      break;
    case 'oauth2':
      add('/auth/clientSecret', auth.clientSecret, true, new URL(auth.tokenUrl));
      break;
    case 'aws_sigv4':
      add('/auth/secretAccessKey', auth.secretAccessKey, false);
      add('/auth/sessionToken', auth.sessionToken, true);
      break;
    default:
      break;
  }
  add('/signing/key', signing?.key, false);
  add('/tls/clientCertificate', tls?.clientCertificate, false);
  add('/tls/clientKey', tls?.clientKey, false);
  return uses;
}

/** What is wrong with the secrets of a destination: where they may not go, and values that cannot be used. `find` answers null for one that is not there. */
export function secretProblems(settings: DestinationSettings, origin: URL, find: (reference: SecretRef) => Secret | null): FieldError[] {
  const problems: FieldError[] = [];
  for (const { path, reference, url, isSent } of listUses(settings, origin)) {
    const secret = find(reference);
    if (secret === null) continue;
    const { host, port } = endpointOf(url);
    const message = (isSent ? maySendTo : mayUseFor)(secret, host, port) ? valueProblem(path, secret) : hostProblem(secret, host, isSent);
    if (message !== null) problems.push({ path, message });
  }
  return problems;
}

function hostProblem(secret: Secret, host: string, isSent: boolean): string {
  const allowed = secret.hosts.length === 0 ? 'it may not be sent anywhere' : `its hosts are ${secret.hosts.slice(0, 5).join(', ')}`;
  return `The secret ${secret.name} may not be ${isSent ? 'sent to' : 'used for'} ${host}: ${allowed}. Add ${host} to the secret’s hosts, or choose another one.`;
}

function valueProblem(path: string, secret: Secret): string | null {
  const value = secret.newest.text();
  if (path === '/signing/key') return signingProblem(secret);
  if (path === '/auth/token' || path === '/auth/sessionToken' || path === '/auth/value')
    return /^[\x21-\x7e]+$/.test(value.trim()) ? null : `The value of ${secret.name} has a character that cannot be in a header. Enter it anew.`;
  if (path === '/tls/clientCertificate' && !value.includes('-----BEGIN CERTIFICATE-----')) return `The value of ${secret.name} is no PEM certificate.`;
  if (path === '/tls/clientKey' && !/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(value))
    return `The value of ${secret.name} is no PEM key without a passphrase.`;
  return null;
}

function signingProblem(secret: Secret): string | null {
  try {
    createWebhookSigner(secret);
    return null;
  } catch (error) {
    if (error instanceof SigningKeyInvalid) return error.message;
    throw error;
  }
}

/** A secret as a request needs it: the value comes out only for a host that it may go to. */
function guarded(secret: Secret): { for(request: { origin: string }): string } {
  let checked = '';
  return {
    for({ origin }) {
      if (origin !== checked) {
        const { host, port } = endpointOf(new URL(origin));
        if (!maySendTo(secret, host, port)) throw new SecretForbidden(secret.name, host);
        checked = origin;
      }
      return secret.newest.text();
    },
  };
}

/** null for a destination that shows nothing. */
export function createAuthentication(auth: AuthSettings | undefined, secretOf: SecretOf, o: { post: PostForm; timeoutMs: number }): Authentication | null {
  switch (auth?.scheme) {
    case undefined:
      return null;
    case 'bearer':
      return withHeader('authorization', secretOf(auth.token), (value) => `Bearer ${value.trim()}`);
    case 'basic': {
      const encode = (password: string): string => `Basic ${Buffer.from(`${auth.username}:${password}`).toString('base64')}`;
      return withHeader('authorization', secretOf(auth.password), encode);
    }
    case 'api_key':
      return auth.in === 'query' ? withQuery(auth.name, secretOf(auth.value)) : withHeader(auth.name, secretOf(auth.value), (value) => value.trim());
    case 'oauth2':
      return withOAuth(auth, secretOf(auth.clientSecret), o);
    case 'aws_sigv4':
      return withAws(auth, secretOf);
  }
}

function withHeader(name: string, secret: Secret, write: (value: string) => string): Authentication {
  const value = guarded(secret);
  return {
    apply(request) {
      request.headers.push(name, write(value.for(request)));
    },
    renew: () => false,
    sensitive: () => secret.versions.flatMap((version) => [version.text().trim(), write(version.text()).replace(/^(?:Bearer|Basic) /, '')]),
  };
}

function withQuery(name: string, secret: Secret): Authentication {
  const value = guarded(secret);
  const encodedName = encodeURIComponent(name);
  return {
    apply(request) {
      const text = encodeURIComponent(value.for(request).trim());
      if (new URLSearchParams(request.path.split('?', 2)[1] ?? '').has(name)) return; // a redirect has taken it over
      request.path += `${request.path.includes('?') ? '&' : '?'}${encodedName}=${text}`;
    },
    renew: () => false,
    sensitive: () => secret.versions.flatMap((version) => [version.text().trim(), encodeURIComponent(version.text().trim())]),
  };
}

function withOAuth(auth: AuthSettings & { scheme: 'oauth2' }, secret: Secret, o: { post: PostForm; timeoutMs: number }): Authentication {
  const tokenUrl = new URL(auth.tokenUrl);
  const value = guarded(secret);
  const tokens: OAuthTokens = createOAuthTokens({
    client: {
      tokenUrl,
      clientId: auth.clientId,
      clientSecret: () => value.for(tokenUrl).trim(),
      scope: auth.scope,
      audience: auth.audience,
      resource: auth.resource,
      credentialsIn: auth.credentialsIn,
    },
    ...o,
  });
  const add = (request: OutgoingRequest, token: string): void => {
    request.token = token;
    request.headers.push('authorization', `Bearer ${token}`);
  };
  return {
    apply(request) {
      const token = tokens.get();
      return typeof token === 'string' ? add(request, token) : token.then((text) => add(request, text));
    },
    renew(request) {
      if (request.token === undefined) return false;
      tokens.discard(request.token);
      return true;
    },
    sensitive: () => [...(tokens.current === null ? [] : [tokens.current]), ...secret.versions.map((version) => version.text().trim())],
  };
}

function withAws(auth: AuthSettings & { scheme: 'aws_sigv4' }, secretOf: SecretOf): Authentication {
  const key = secretOf(auth.secretAccessKey);
  const session = auth.sessionToken === undefined ? null : secretOf(auth.sessionToken);
  const sessionValue = session === null ? null : guarded(session);
  const sign = createAwsSigner({
    accessKeyId: auth.accessKeyId,
    secretAccessKey: key.newest.text().trim(),
    sessionToken: session?.newest.text().trim(),
    region: auth.region,
    service: auth.service,
  });
  return {
    async apply(request) {
      sessionValue?.for(request);
      request.headers.push(...(await sign(request)));
    },
    renew: () => false,
    sensitive: () => (session === null ? [] : session.versions.map((version) => version.text().trim())),
  };
}
