import { type Check, CheckFailed, type Connection, runCheck } from '@vrsky/sdk/connector';
import type { EgressGuard } from './egress.ts';
import { failureOutcome } from './outcome.ts';
import { probeReceiver } from './probe.ts';
import type { OutgoingRequest } from './request.ts';
import type { DestinationSettings } from './settings.ts';
import { destinationProblems, toTarget } from './target.ts';
import { compileUrl } from './template.ts';
import type { TokenPost } from './token-post.ts';

export interface TestDestinationOptions {
  connection: Connection<DestinationSettings, 'destination'>;
  guard: EgressGuard;
  post: TokenPost;
  deadline: AbortSignal;
}

/** Tries how far a delivery would get without making one: the secrets, the name, the connection, TLS, the access token. */
export async function testDestination({ connection, guard, post, deadline }: TestDestinationOptions): Promise<Check[]> {
  const { settings, secret } = connection;
  const [problem] = destinationProblems(settings, secret);
  if (problem !== undefined) return [await runCheck('Look at the secrets', () => Promise.reject(new CheckFailed(problem.message)))];
  const target = toTarget({ settings, secret, post });
  const { origin } = compileUrl(settings.url);
  const checks = await probeReceiver({ url: origin, guard, timeoutMs: settings.timeoutMs, deadline, tls: target.way.tls });
  const { auth } = settings;
  if (auth?.scheme !== 'oauth2') return checks;
  const { host } = new URL(auth.tokenUrl);
  const request: OutgoingRequest = { origin: origin.origin, method: 'POST', path: '/', headers: [], body: null };
  const token = await runCheck(`Get a token from ${host}`, async () => {
    try {
      await target.authentication?.apply(request);
    } catch (error) {
      throw new CheckFailed(failureOutcome(error, host, settings.timeoutMs).reason ?? '');
    }
    return `${host} gave an access token.`;
  });
  return [...checks, token];
}
