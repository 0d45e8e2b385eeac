import { serveRest } from '../../../../server/serve-rest.ts';

export const dynamic = 'force-dynamic';
export { serveRest as DELETE, serveRest as GET, serveRest as OPTIONS, serveRest as PATCH, serveRest as POST, serveRest as PUT };
