import path from 'node:path';
import { type EnrolmentRequest, type EnrolmentResponse, enrolmentResponseSchema } from '@vrsky/contracts/enrolment';
import { backoff } from '@vrsky/kernel/backoff';
import { ConfigError } from '@vrsky/kernel/config';
import { AppError, describeError } from '@vrsky/kernel/errors';
import { sleep } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { findText, writeDurably } from '../durable-file.ts';
import { nodeVersion } from '../version.ts';
import type { Identity } from './identity.ts';

export interface EnrolmentOptions {
  stateDir: string;
  consoleUrl: string;
  joinToken: string | undefined;
  name: string;
  identity: Identity;
  log: Log;
}

const answerWithinMs = 15_000;

/**
 * What the control plane knows this node as. From disk when it enrolled before, so that a restart needs neither token nor
 * console; otherwise the join token is exchanged for it, as long as it takes for the console to answer.
 */
export async function openEnrolment(options: EnrolmentOptions, stop: AbortSignal): Promise<EnrolmentResponse> {
  const file = path.join(options.stateDir, 'enrolment.json');
  const kept = await findText(file);
  if (kept !== null) return parseKept(file, kept);
  if (options.joinToken === undefined) {
    throw new ConfigError([
      `VRSKY_JOIN_TOKEN is missing: this node has not enrolled yet (there is no ${file}). Create a join token on the console's Nodes page`,
    ]);
  }
  const enrolment = await enrol(options, options.joinToken, stop);
  await writeDurably(file, JSON.stringify(enrolment));
  options.log.info({ nodeId: enrolment.nodeId, pool: enrolment.pool }, 'enrolled');
  return enrolment;
}

async function enrol(options: EnrolmentOptions, token: string, stop: AbortSignal): Promise<EnrolmentResponse> {
  const request: EnrolmentRequest = {
    token,
    name: options.name,
    version: nodeVersion,
    identityKey: options.identity.user.publicKey,
    sealKey: options.identity.seal.publicKey,
  };
  const pause = backoff({ initialMs: 250, maxMs: 10_000 });
  while (!stop.aborted) {
    try {
      return await ask(options.consoleUrl, request, stop);
    } catch (error) {
      if (error instanceof ConfigError || stop.aborted) throw error;
      options.log.warn({ error: describeError(error) }, 'the console does not answer yet; trying again');
    }
    await sleep(pause.nextMs(), stop);
  }
  throw new AppError({ code: 'NODE.STOPPED', kind: 'cancelled', message: 'stopped while enrolling' });
}

/** Throws ConfigError when the console refuses us: another try would be refused as well. */
async function ask(consoleUrl: string, request: EnrolmentRequest, stop: AbortSignal): Promise<EnrolmentResponse> {
  const url = new URL('/api/nodes/enrol', consoleUrl);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(request),
    signal: AbortSignal.any([stop, AbortSignal.timeout(answerWithinMs)]),
    redirect: 'error',
  });
  const text = await response.text();
  if (response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429) {
    throw new ConfigError([
      `${url.origin} refused the enrolment (${response.status}${detailOf(text)}): VRSKY_JOIN_TOKEN must be a join token that nobody used before`,
    ]);
  }
  if (!response.ok) throw new AppError({ code: 'ENROL.UNAVAILABLE', kind: 'unavailable', message: `${url.origin} answered ${response.status}` });
  try {
    return enrolmentResponseSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError({ code: 'ENROL.MALFORMED', kind: 'unavailable', message: `${url.origin} answered something that is no enrolment`, cause });
  }
}

/** The sentence of a problem document, if the answer is one. */
function detailOf(text: string): string {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: unknown; title?: unknown };
    const sentence = typeof detail === 'string' ? detail : title;
    return typeof sentence === 'string' ? `, "${sentence.slice(0, 200)}"` : '';
  } catch {
    return ''; // the status alone says enough
  }
}

function parseKept(file: string, text: string): EnrolmentResponse {
  try {
    return enrolmentResponseSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError({
      code: 'NODE.ENROLMENT_DAMAGED',
      kind: 'invalid',
      message: `${file} is not an enrolment: put it back from a copy, or remove the state folder and enrol again`,
      cause,
    });
  }
}
