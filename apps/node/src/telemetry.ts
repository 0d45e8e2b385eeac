import { sleep } from '@vrsky/kernel/lifecycle';

/** Running telemetry: whether spans go anywhere, and how to send the last of them. */
export interface Telemetry {
  readonly isTracing: boolean;
  shutdown(): Promise<void>;
}

/** A collector that does not answer must not hold up a stop. */
const shutdownMs = 3_000;

/**
 * Starts OpenTelemetry when a standard `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) says where to; otherwise loads
 * nothing of it. Reads the standard `OTEL_*` variables itself, as every OpenTelemetry program does.
 */
export async function startTelemetry(env: NodeJS.ProcessEnv, serviceName: string): Promise<Telemetry> {
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  if (endpoint === '' || env['OTEL_SDK_DISABLED'] === 'true') return { isTracing: false, shutdown: async () => {} };
  const [{ NodeSDK }, { OTLPTraceExporter }] = await Promise.all([import('@opentelemetry/sdk-node'), import('@opentelemetry/exporter-trace-otlp-http')]);
  const sdk = new NodeSDK({
    serviceName: env['OTEL_SERVICE_NAME'] ?? serviceName,
    traceExporter: new OTLPTraceExporter(),
    // Prometheus reads our metrics; the logs go to standard output.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  return { isTracing: true, shutdown: () => Promise.race([sdk.shutdown(), sleep(shutdownMs)]) };
}
