import { serveTrpc } from '../../../../server/serve-trpc.ts';

export { serveTrpc as GET, serveTrpc as POST };
