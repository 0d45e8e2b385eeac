import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { singleton } from './singleton.ts';

const metrics = singleton('metrics', () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'vrsky_console_' });
  return {
    registry,
    httpRequests: new Counter({
      name: 'vrsky_console_http_requests_total',
      help: 'Requests answered, by API, route and status.',
      labelNames: ['api', 'route', 'status'] as const,
      registers: [registry],
    }),
    httpSeconds: new Histogram({
      name: 'vrsky_console_http_request_seconds',
      help: 'Time to answer, by API and route.',
      labelNames: ['api', 'route'] as const,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    }),
    signIns: new Counter({
      name: 'vrsky_console_sign_ins_total',
      help: 'Tries to sign in, by result.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
    workerUp: new Gauge({ name: 'vrsky_console_worker_up', help: '1 when the control worker answered with its metrics.', registers: [registry] }),
  };
});

export const { registry, httpRequests, httpSeconds, signIns, workerUp } = metrics;

/** Counts live connections at the moment of asking. */
export function observeLive(count: () => number): void {
  registry.removeSingleMetric('vrsky_console_live_subscribers');
  new Gauge({
    name: 'vrsky_console_live_subscribers',
    help: 'Pages that follow live changes.',
    registers: [registry],
    collect() {
      this.set(count());
    },
  });
}

export function observeRequest(api: 'trpc' | 'rest' | 'enrol', route: string, status: number, startedAtMs: number): void {
  httpRequests.inc({ api, route, status });
  httpSeconds.observe({ api, route }, (performance.now() - startedAtMs) / 1_000);
}
