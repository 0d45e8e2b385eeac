import { enrolmentRequestSchema } from '@vrsky/contracts/enrolment';
import { systemClock } from '@vrsky/kernel/clock';
import { AppError, isAppError } from '@vrsky/kernel/errors';
import { enrolNode } from '../features/nodes/server/enrol-node.ts';
import { createAttemptLimit } from './attempt-limit.ts';
import { getDb } from './db.ts';
import { log } from './log.ts';
import { observeRequest } from './metrics.ts';
import { getPlatform } from './platform.ts';
import { parseJson, readJsonText } from './read-json.ts';
import { requestIdOf } from './request.ts';
import { singleton } from './singleton.ts';
import { toProblem } from './to-problem.ts';

const BODY_BYTES_MAX = 16_384;

/** A join token has far too many bits to be guessed; this keeps somebody who tries from costing us a query each time. */
const refusals = singleton('enrol-limit', () => createAttemptLimit({ failuresMax: 300, windowMs: 60_000, keysMax: 1, clock: systemClock }));

/** `POST /api/nodes/enrol`: a node exchanges its join token for credentials. */
export async function serveEnrolment(request: Request): Promise<Response> {
  const startedAtMs = performance.now();
  const requestId = requestIdOf(request.headers);
  const response = await enrol(request, requestId);
  observeRequest('enrol', 'POST /api/nodes/enrol', response.status, startedAtMs);
  return response;
}

async function enrol(request: Request, requestId: string): Promise<Response> {
  try {
    const waitMs = refusals.waitMs('all');
    if (waitMs > 0) throw new AppError({ code: 'NODE.ENROL_LIMITED', kind: 'exhausted', message: 'too many refused join tokens', retryAfterMs: waitMs });
    const parsed = enrolmentRequestSchema.safeParse(parseJson(await readJsonText(request, BODY_BYTES_MAX)));
    if (!parsed.success) throw parsed.error;
    const answer = await enrolNode({ db: getDb(), platform: getPlatform() }, parsed.data);
    log.info({ requestId, nodeId: answer.nodeId, pool: answer.pool, name: parsed.data.name }, 'a node enrolled');
    return Response.json(answer, { headers: { 'x-request-id': requestId, 'cache-control': 'no-store' } });
  } catch (error) {
    if (isAppError(error) && error.kind === 'unauthenticated') refusals.failed('all');
    log.warn({ err: error, requestId }, 'a node was not let in');
    return toProblem(error, requestId);
  }
}
