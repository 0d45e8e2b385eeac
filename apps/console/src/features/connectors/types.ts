import type { ConnectorOffer, ConnectorState, NodeLiveness } from '@vrsky/contracts/node-status';
import type { SettingsError } from './settings/check-settings.ts';

export type ConnectorRole = ConnectorOffer['roles'][number];

/** A release of a connector, and the nodes that have it. */
export interface ReleaseView {
  version: string;
  digest: string;
  nodes: { id: string; name: string; liveness: NodeLiveness }[];
}

/** A process of a connector on a node: the tenant's own, or one that all tenants share. */
export interface ConnectorProcessView extends Omit<ConnectorState, 'tenantId' | 'reason'> {
  nodeId: string;
  nodeName: string;
  nodeLiveness: NodeLiveness;
  shared: boolean;
  reason: string | null;
}

export interface ConnectorSummary {
  name: string;
  title: string;
  description: string;
  roles: ConnectorRole[];
  origin: ConnectorOffer['origin'];
  network: ConnectorOffer['network'];
  /** As a source it can answer its senders with the pipeline's result. */
  replies: boolean;
  /** Whether a node that is live now offers it; else only nodes that were last heard of some time ago did. */
  live: boolean;
  /** The newest first. */
  releases: ReleaseView[];
  processes: ConnectorProcessView[];
  /** Pipelines of the tenant that use it, as drafted or as published. */
  pipelines: number;
}

/** What the tenant's pool offers, over all its nodes. */
export interface ConnectorsView {
  connectors: ConnectorSummary[];
  /** Files in a node's directory of connectors that are none, and why. */
  problems: { nodeId: string; nodeName: string; file: string; reason: string }[];
  liveNodes: number;
}

export interface ConnectorUse {
  pipelineId: string;
  pipelineName: string;
  /** In the revision that the nodes run; else in the draft only. */
  published: boolean;
  parts: { id: string; name: string; role: ConnectorRole; release: string | null }[];
}

export interface ConnectorDetail extends ConnectorSummary {
  /** The release that `settingsSchemas` are of. */
  release: { version: string; digest: string };
  /** JSON Schema 2020-12 as text, by role; empty for a role it does not play. */
  settingsSchemas: ConnectorOffer['settingsSchemas'];
  usedBy: ConnectorUse[];
}

/** What came of Test connection. */
export type ConnectorTest =
  /** A node had the connector look at the settings and try them out. */
  | {
      outcome: 'answered';
      version: string;
      digest: string;
      nodeName: string;
      errors: SettingsError[];
      checks: { name: string; passed: boolean; detail: string; durationUs: number }[];
    }
  /** The settings do not fit the connector's schema, so nothing was tried. */
  | { outcome: 'not_tried'; errors: SettingsError[] }
  /** No node answered, or the one that did could not ask the connector. */
  | { outcome: 'no_answer'; code: string; reason: string };
