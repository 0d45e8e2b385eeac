import { context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { findTraceContext } from './core/trace-context.ts';

export { SpanKind };

type Attributes = Record<string, string | number | boolean>;

/** A span with times that we measured ourselves. */
export interface NodeSpan {
  /** Of this span, for the next hop. */
  readonly traceparent: string;
  child(name: string, kind: SpanKind, startMs: number, attributes?: Attributes): NodeSpan;
  set(attributes: Attributes): void;
  /** `failure` marks the span as failed. */
  end(atMs: number, failure?: string): void;
}

/** Spans of messages. Only asked when `isRecording`: without an exporter no span, context or attribute object is made at all. */
export interface Tracing {
  readonly isRecording: boolean;
  start(name: string, kind: SpanKind, parent: { traceparent: string; tracestate: string }, startMs: number, attributes?: Attributes): NodeSpan;
}

export function createTracing(isRecording: boolean): Tracing {
  const tracer = trace.getTracer('vrsky-node');
  const wrap = (span: Span): NodeSpan => {
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      child: (name, kind, startMs, attributes = {}) =>
        wrap(tracer.startSpan(name, { kind, startTime: startMs, attributes }, trace.setSpan(ROOT_CONTEXT, span))),
      set: (attributes) => void span.setAttributes(attributes),
      end(atMs, failure) {
        if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
        span.end(atMs);
      },
    };
  };
  return {
    isRecording,
    start: (name, kind, parent, startMs, attributes = {}) => wrap(tracer.startSpan(name, { kind, startTime: startMs, attributes }, remote(parent))),
  };
}

/** The sender's context; without a valid one the span begins a trace. */
function remote(parent: { traceparent: string; tracestate: string }): typeof ROOT_CONTEXT {
  const found = findTraceContext(parent.traceparent);
  if (found === null) return ROOT_CONTEXT;
  const state = parent.tracestate === '' ? {} : { traceState: textTraceState(parent.tracestate) };
  return trace.setSpanContext(context.active(), {
    traceId: found.traceId,
    spanId: found.spanId,
    traceFlags: Number.parseInt(found.flags, 16),
    isRemote: true,
    ...state,
  });
}

/** Carried as it came; we neither read nor change it. */
function textTraceState(text: string) {
  const state = { get: () => undefined, set: () => state, unset: () => state, serialize: () => text };
  return state;
}
