import type { ConnectorEvent } from '@vrsky/contracts/connector-calls';

/** What a connector was asked in one minute, over all its processes. Minutes in which nothing happened are left out. */
export interface CallMinute {
  /** Its beginning. */
  at: string;
  calls: number;
  refused: number;
  /** Messages handed to the connector, and taken from it. */
  sent: number;
  received: number;
}

export interface MethodCalls {
  /** `/vrsky.connector.v1.Connector/Configure`. */
  method: string;
  /** Stays open while messages flow; its time says how long, not how fast. */
  stream: boolean;
  /** Single calls, or streams opened. */
  calls: number;
  /** Never sent: the node does not allow them. */
  refused: number;
  /** Those that ended, by gRPC status. */
  results: Record<string, number>;
  /** Null when only processes that other tenants share were asked: their sizes are everybody's. */
  requestBytes: number | null;
  responseBytes: number | null;
  sent: number;
  received: number;
  /** Null while none has ended. */
  meanUs: number | null;
  maxUs: number | null;
  perMinute: CallMinute[];
}

/** One start of a connector. */
export interface ProcessCallsView {
  processId: string;
  nodeId: string;
  nodeName: string;
  version: string;
  digest: string;
  /** Other tenants use it too; only what concerns this one is counted. */
  shared: boolean;
  /** The first and the last minute in which something was written down. */
  firstAt: string;
  lastAt: string;
  calls: number;
  refused: number;
  sent: number;
  received: number;
}

export interface ConnectorEventView {
  at: string;
  kind: ConnectorEvent['kind'];
  version: string;
  reason: string;
  nodeId: string;
  nodeName: string;
  processId: string;
}

/** How many requests a source refused lately for one reason. */
export interface SourceRefusalView {
  sourceId: string;
  /** The code that the senders were answered with. */
  reason: string;
  count: number;
  lastAt: string;
}

/** What a connector did for a tenant in a stretch of time of at most an hour. */
export interface ConnectorCallsView {
  connector: string;
  /** The first minute, and the end of the last. */
  from: string;
  to: string;
  perMinute: CallMinute[];
  methods: MethodCalls[];
  /** Newest first. */
  processes: ProcessCallsView[];
  /** Newest first. */
  events: ConnectorEventView[];
  /** More happened than is shown: the oldest is left out. */
  truncated: boolean;
  /** How far the books have been read. */
  asOf: string;
}
