import { serveAuth } from '../../../../server/serve-auth.ts';

export { serveAuth as GET, serveAuth as POST };
