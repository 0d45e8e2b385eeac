import type { NextRequest } from 'next/server';
import NextAuth from 'next-auth';
import { authOptions } from './auth.ts';
import { requestIdOf } from './request.ts';
import { problem } from './to-problem.ts';

/** An address, a password and a token fit many times. next-auth itself reads whatever comes. */
const BODY_BYTES_MAX = 16_384;

/** Everything below `/api/auth`: signing in and out, by next-auth. */
export async function serveAuth(request: NextRequest, context: { params: Promise<{ nextauth: string[] }> }): Promise<Response> {
  return refuse(request) ?? NextAuth(request as never, context as never, authOptions());
}

function refuse(request: Request): Response | null {
  if (!request.body) return null;
  const length = request.headers.get('content-length');
  const requestId = requestIdOf(request.headers);
  if (length === null)
    return problem({ status: 411, title: 'Length required', detail: 'Send the length of the body.', code: 'REQUEST.LENGTH_MISSING', requestId });
  if (Number(length) > BODY_BYTES_MAX)
    return problem({ status: 413, title: 'Too large', detail: `A body has at most ${BODY_BYTES_MAX} bytes.`, code: 'REQUEST.TOO_LARGE', requestId });
  return null;
}
