import { randomUUID } from 'node:crypto';
import { type NextRequest, NextResponse } from 'next/server';

/**
 * Next's hook before every request. It names the request, gives pages their Content-Security-Policy, and sends people without a
 * session cookie to the sign-in page. It decides nothing about rights: that is done where data is read.
 */
export default function proxy(request: NextRequest): NextResponse {
  const { pathname, search } = request.nextUrl;
  const requestHeaders = new Headers(request.headers);
  const requestId = requestIdOf(request);
  requestHeaders.set('x-request-id', requestId);
  // The page's own header must not be a way to smuggle a nonce in.
  requestHeaders.delete('x-nonce');

  if (pathname.startsWith('/api/') || pathname === '/metrics') return named(NextResponse.next({ request: { headers: requestHeaders } }), requestId);
  if (pathname !== '/sign-in' && !hasSessionCookie(request)) {
    const target = new URL('/sign-in', request.nextUrl);
    if (pathname !== '/') target.searchParams.set('callbackUrl', pathname + search);
    return named(NextResponse.redirect(target), requestId);
  }
  const nonce = Buffer.from(randomUUID()).toString('base64');
  const policy = contentSecurityPolicy(nonce);
  requestHeaders.set('x-nonce', nonce);
  requestHeaders.set('content-security-policy', policy); // Next takes the nonce for its own scripts from here
  const response = NextResponse.next({ request: { headers: requestHeaders } });
  response.headers.set('content-security-policy', policy);
  return named(response, requestId);
}

export const config = { matcher: ['/((?!_next/static|_next/image|favicon.ico|icon.svg).*)'] };

function contentSecurityPolicy(nonce: string): string {
  const development = process.env.NODE_ENV === 'development';
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${development ? " 'unsafe-eval'" : ''}`,
    // Components and the code editor set styles at run time.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    `connect-src 'self'${development ? ' ws:' : ''}`,
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** The caller's own id when it is one that a log can hold, so that both sides find the same request. */
function requestIdOf(request: NextRequest): string {
  const given = request.headers.get('x-request-id');
  return given && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();
}

function hasSessionCookie(request: NextRequest): boolean {
  return request.cookies.getAll().some(({ name }) => name.endsWith('next-auth.session-token') || name.includes('next-auth.session-token.'));
}

function named(response: NextResponse, requestId: string): NextResponse {
  response.headers.set('x-request-id', requestId);
  return response;
}
