import { createHash } from 'node:crypto';
import { createSecureContext, rootCertificates, type SecureContextOptions } from 'node:tls';
import type { FieldError, Secret, SecretRef } from '@vrsky/sdk/connector';
import { type Authentication, createAuthentication, type SecretOf, secretProblems } from './authentication.ts';
import type { Way } from './egress.ts';
import { type AnswerRules, answerRules } from './outcome.ts';
import { createPace, type Pace } from './pace.ts';
import type { RequestPlan } from './request.ts';
import { CONNECTIONS_MAX, type DestinationSettings, httpMethods } from './settings.ts';
import { compileBody, compileHeader, compileMethod, compileUrl, TemplateValues } from './template.ts';
import type { TokenPost } from './token-post.ts';
import { createWebhookSigner } from './webhook-signature.ts';

/** A destination, prepared once for all its messages. */
export interface Target {
  /** The same for the same settings and the same values of its secrets. */
  fingerprint: string;
  /** Host as the customer wrote it, for sentences. */
  host: string;
  plan: RequestPlan;
  way: Way;
  /** To other origins: without the client certificate. */
  foreignWay: Way;
  authentication: Authentication | null;
  redirects: { max: number; origins: ReadonlySet<string> };
  /** In lower case: what the customer added, and a redirect to another origin does not get. */
  ownHeaders: ReadonlySet<string>;
  rules: AnswerRules;
  /** How much of an answer goes on, whole. */
  answerBytesMax: number;
  /** Nothing needs it: what the receiver took is delivered without it. */
  answerOptional: boolean;
  pace: Pace | null;
  timeoutMs: number;
  headersMs: number;
  bodyMs: number;
  /** The receiver said that it is gone for good. */
  isStopped: boolean;
}

export interface TargetOptions {
  settings: DestinationSettings;
  /** 0 when left out. */
  answerBytesMax?: number;
  answerOptional?: boolean;
  secret: SecretOf;
  post: TokenPost;
}

const CONNECT_MS = 10_000;
/** For a destination that asks for nothing else. */
export const usualWay: Way = { key: '', connectTimeoutMs: CONNECT_MS, http2: false, tls: {} };
const USER_AGENT = 'VRSky';
const plainDelivery = { connectionId: '', customerId: '', pipelineId: '', messageId: '', traceparent: '', tracestate: '', attempt: 1, contentType: '' };
/** For templates that name nothing. */
const noValues = new TemplateValues({ ...plainDelivery, headers: [], payload: new Uint8Array(0) });

/** Prepares a destination. Its settings and secrets have passed `destinationProblems`. */
export function toTarget({ settings, answerBytesMax = 0, answerOptional = false, secret, post }: TargetOptions): Target {
  const { origin: url, path } = compileUrl(settings.url);
  const { tls, pace } = settings;
  const ca = tls?.ca === undefined ? undefined : [...rootCertificates, tls.ca];
  const trust = { ...(tls !== undefined && { minVersion: tls.minVersion }), ...(ca !== undefined && { ca }) };
  const identity =
    tls?.clientCertificate === undefined || tls.clientKey === undefined
      ? {}
      : { cert: secret(tls.clientCertificate).newest.text(), key: secret(tls.clientKey).newest.text() };
  const transport = { connectTimeoutMs: settings.timeouts?.connectMs ?? CONNECT_MS, http2: settings.http2 === true };
  const foreignWay = toWay({ ...transport, tls: trust });
  return {
    fingerprint: `${fingerprintOf(settings, secret)} ${answerBytesMax} ${answerOptional}`,
    host: url.host,
    plan: toPlan(settings, url.origin, path, secret),
    way: toWay({ ...transport, tls: { ...trust, ...identity } }),
    foreignWay,
    authentication: createAuthentication(settings.auth, secret, {
      post: (...args) => post(foreignWay, ...args),
      timeoutMs: settings.timeoutMs,
    }),
    redirects: {
      max: settings.redirects?.max ?? 0,
      origins: new Set([url.origin, ...(settings.redirects?.origins ?? []).map((text) => new URL(text).origin)]),
    },
    ownHeaders: new Set(settings.headers.map(({ name }) => name.toLowerCase()).filter((name) => name !== 'content-type' && name !== 'user-agent')),
    rules: answerRules(settings.answers),
    answerBytesMax,
    answerOptional,
    pace:
      pace === undefined || (pace.concurrency === CONNECTIONS_MAX && !pace.inOrder && pace.ratePerSecond === undefined)
        ? null
        : createPace({ concurrency: pace.inOrder ? 1 : pace.concurrency, ratePerSecond: pace.ratePerSecond ?? null }),
    timeoutMs: settings.timeoutMs,
    headersMs: settings.timeouts?.headersMs ?? 0,
    bodyMs: settings.timeouts?.bodyMs ?? 0,
    isStopped: false,
  };
}

function toPlan(settings: DestinationSettings, origin: string, path: RequestPlan['path'], secret: SecretOf): RequestPlan {
  const headers = settings.headers.map(({ name, value }) => [name, compileHeader(value)] as const);
  const names = new Set(settings.headers.map(({ name }) => name.toLowerCase()));
  const compress = settings.compress === true;
  return {
    origin,
    path,
    method: settings.methodFrom === undefined ? settings.method : compileMethod(settings.methodFrom, httpMethods),
    headers: headers.filter(([, value]) => !value.isFixed),
    fixedHeaders: [
      ...(names.has('user-agent') ? [] : ['user-agent', USER_AGENT]),
      ...(compress && !names.has('accept-encoding') ? ['accept-encoding', 'gzip, deflate'] : []),
      ...headers.flatMap(([name, value]) => (value.isFixed ? [name, value.render(noValues)] : [])),
    ],
    hasContentType: names.has('content-type'),
    named: names,
    body: settings.body === undefined ? null : { format: settings.body.format, template: compileBody(settings.body.format, settings.body.template) },
    signer: settings.signing === undefined ? null : createWebhookSigner(secret(settings.signing.key)),
    compress,
  };
}

function toWay(way: Omit<Way, 'key'>): Way {
  const isPlain = way.connectTimeoutMs === CONNECT_MS && !way.http2 && Object.keys(way.tls).length === 0;
  return { ...way, key: isPlain ? '' : createHash('sha256').update(JSON.stringify(way)).digest('base64url') };
}

type Find = (reference: SecretRef) => Secret | null;

/** What is wrong with a destination beyond its schema. `find` answers null for a secret of which the value is not there. */
export function destinationProblems(settings: DestinationSettings, find: Find): FieldError[] {
  const problems = secretProblems(settings, compileUrl(settings.url).origin, find);
  return problems.length > 0 ? problems : tlsProblems(settings.tls, find);
}

function tlsProblems(tls: DestinationSettings['tls'], find: Find): FieldError[] {
  if (tls === undefined) return [];
  if (tls.ca !== undefined && !isUsable({ ca: tls.ca })) return [{ path: '/tls/ca', message: 'These are no certificates that can be read.' }];
  const [cert, key] = [tls.clientCertificate, tls.clientKey].map((reference) => (reference === undefined ? null : find(reference)));
  if (!cert || !key || isUsable({ cert: cert.newest.text(), key: key.newest.text() })) return [];
  return [{ path: '/tls/clientKey', message: `The key in ${key.name} does not fit the certificate in ${cert.name}, or one of them cannot be read.` }];
}

function isUsable(options: SecureContextOptions): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    return false;
  }
}

function fingerprintOf(settings: DestinationSettings, secret: SecretOf): string {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const reference of listReferences(settings)) {
    const { name, hosts, versions } = secret(reference);
    hash.update(JSON.stringify([name, hosts, versions.map(({ version }) => version)]));
    for (const version of versions) hash.update(createHash('sha256').update(version.bytes()).digest());
  }
  return hash.digest('base64url');
}

function listReferences(value: unknown): SecretRef[] {
  if (typeof value !== 'object' || value === null) return [];
  if (typeof (value as Partial<SecretRef>).$secret === 'string') return [value as SecretRef];
  return Object.values(value).flatMap(listReferences);
}
