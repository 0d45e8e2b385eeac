import { requestIdOf } from '../../../server/request.ts';
import { problem } from '../../../server/to-problem.ts';

/** Whatever below `/api` is nothing. */
function nothing(request: Request): Response {
  return problem({
    status: 404,
    title: 'Not found',
    detail: 'There is nothing here. The REST API is below /api/v1.',
    code: 'ROUTE.NOT_FOUND',
    requestId: requestIdOf(request.headers),
  });
}

export const dynamic = 'force-dynamic';
export { nothing as DELETE, nothing as GET, nothing as PATCH, nothing as POST, nothing as PUT };
