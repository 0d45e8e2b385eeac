import { serveReady } from '../../../../server/serve-ready.ts';

export const dynamic = 'force-dynamic';
export { serveReady as GET };
