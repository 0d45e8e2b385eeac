import { serveMetrics } from '../../server/serve-metrics.ts';

export const dynamic = 'force-dynamic';
export { serveMetrics as GET };
