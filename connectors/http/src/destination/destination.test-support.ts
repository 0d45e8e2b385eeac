import type { LookupFunction } from 'node:net';
import type { Delivery, DeliveryResult, Secret, SecretRef } from '@vrsky/sdk/connector';
import type { AnswerRoom } from './answer-room.ts';
import { createEgress, createGuard, type Way } from './egress.ts';
import { createHttpDestination, type HttpDestination } from './http-destination.ts';
import { destinationSettingsSchema } from './settings.ts';
import { destinationProblems, toTarget } from './target.ts';
import { createTokenPost } from './token-post.ts';

/** A secret as the SDK gives it; the newest value comes first. */
export function secretOf(name: string, hosts: string[], ...values: string[]): Secret {
  const versions = values.map((value, i) => ({ version: values.length - i, bytes: () => Buffer.from(value), text: () => value }));
  return { name, hosts, versions, newest: versions[0] as (typeof versions)[number] };
}

export interface OpenOptions {
  /** What the operator lets through; the URL's own host unless given. */
  allow?: string[];
  names?: Record<string, string>;
  secrets?: Secret[];
  /** How much of an answer goes on. */
  answerBytesMax?: number;
  answerRoom?: AnswerRoom;
}

export interface OpenedDestination {
  destination: HttpDestination;
  send(delivery?: Partial<Delivery>): Promise<DeliveryResult>;
  /** As at a Configure: new settings or secrets, or another answer to go on. */
  configure(settings: object, secrets?: Secret[], answerBytesMax?: number, answerOptional?: boolean): void;
  /** What Validate says. */
  problems: { path: string; message: string }[];
  /** The same of other settings. */
  check(settings: object): { path: string; message: string }[];
  /** Every connection that was asked for, as `host:port`. */
  connects: string[];
}

export const delivery: Delivery = {
  connectionId: 'p/out',
  customerId: 'cus_a',
  pipelineId: 'p',
  messageId: 'msg_1',
  traceparent: '',
  tracestate: '',
  attempt: 1,
  headers: [],
  payload: Buffer.from('{"a":1}'),
  contentType: 'application/json',
};

/** A destination of its own behind a real guard. */
export function openDestination(settings: { url: string } & Record<string, unknown>, o: OpenOptions = {}): OpenedDestination {
  const lookup = ((hostname, options, callback) => {
    const address = o.names?.[hostname];
    if (address === undefined) callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }), []);
    else if (options.all) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  }) as LookupFunction;
  const guard = createGuard({ allow: new Set(o.allow ?? [new URL(settings.url.replaceAll(/\{\{.*?\}\}/g, 'x')).host]), lookup });
  const connects: string[] = [];
  const egress = (way: Way): ReturnType<typeof createEgress> => {
    const connect = createEgress({ guard, way });
    return (target, callback) => {
      connects.push(`${target.hostname}:${target.port}`);
      connect(target, callback);
    };
  };
  const destination = createHttpDestination({ egress, ...(o.answerRoom && { answerRoom: o.answerRoom }) });
  const post = createTokenPost(egress);
  const configure = (next: object, secrets: Secret[] = [], answerBytesMax = 0, answerOptional = false): void => {
    const secret = ({ $secret }: SecretRef): Secret => secrets.find(({ name }) => name === $secret) as Secret;
    destination.setTargets(new Map([['p/out', toTarget({ settings: destinationSettingsSchema.parse(next), answerBytesMax, answerOptional, secret, post })]]));
  };
  configure(settings, o.secrets, o.answerBytesMax);
  const check = (other: object) =>
    destinationProblems(destinationSettingsSchema.parse(other), ({ $secret }) => o.secrets?.find(({ name }) => name === $secret) ?? null);
  return {
    destination,
    connects,
    configure,
    problems: check(settings),
    check,
    send: (more = {}) => new Promise((resolve) => destination.send({ ...delivery, ...more }, resolve)),
  };
}
