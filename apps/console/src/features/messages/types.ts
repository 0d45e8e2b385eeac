import type { TrailState } from '@vrsky/contracts/trail';

/** The state of a message over all its destinations: the worst of them, in the order dead_lettered, retrying, delivered, filtered. */
export type MessageState = TrailState;

export interface MessageSummary {
  id: string;
  pipelineId: string;
  pipelineName: string;
  receivedAt: string;
  state: MessageState;
  /** In words, when filtered, retrying or dead-lettered. */
  reason: string | null;
  bytes: number;
  attempts: number;
  /** Received to last outcome. */
  durationMs: number | null;
}

export interface Page<T> {
  items: T[];
  /** Send it back as `cursor` for older items; null at the end. */
  nextCursor: string | null;
  /** How far the projection has come; older than a few seconds is shown as "as of …". */
  asOf: string;
}

export interface AttemptView {
  attempt: number;
  at: string | null;
  durationUs: number | null;
  state: TrailState;
  peerStatus: number | null;
  peerAnswer: string | null;
  code: string | null;
  reason: string | null;
  nextAt: string | null;
  /** In strict order: at least so many messages wait behind this one. */
  behind: number | null;
  nodeId: string;
}

/** How a destination does that did not take everything at once lately. */
export interface DestinationHealth {
  destinationId: string;
  /** `recovering`: it takes messages again, and some still wait for their time. */
  state: 'failing' | 'recovering' | 'recovered';
  /** Messages that wait for their next attempt. */
  waiting: number;
  /** There are more than were counted. */
  moreWait: boolean;
  /** The first failed attempt of those that wait. */
  since: string | null;
  /** The last failed attempt of those that wait. */
  failure: { at: string; code: string | null; reason: string | null; peerStatus: number | null } | null;
  /** When the first of those that wait is tried again. */
  nextAt: string | null;
  /** The last delivery within the last hour. */
  deliveredAt: string | null;
  /** Messages of the last ten minutes that were delivered by a later attempt than the first. */
  caughtUp: number;
  /** Given up within the last 24 hours and not sent again since. */
  dead: { count: number; at: string; reason: string } | null;
}

export interface PayloadView {
  /** UTF-8 text when it is text, else null and `base64` counts. Cut at 256 KiB, `bytes` is the true size. */
  text: string | null;
  base64: string;
  bytes: number;
  contentType: string;
}

export interface StepTrailView {
  id: string;
  name: string;
  kind: 'convert' | 'filter';
  result: 'ok' | 'filtered' | 'failed';
  instructions: number;
  durationUs: number;
}

export interface MessageDetail extends MessageSummary {
  customerId: string;
  traceId: string;
  revision: number;
  storedAt: string;
  address: { seq: number; index: number };
  contentType: string;
  replayOf: string | null;
  steps: StepTrailView[];
  destinations: DestinationTrailView[];
}

export interface DestinationTrailView {
  id: string;
  name: string;
  connector: string;
  connectorTitle: string;
  /** Of an HTTP destination; empty for other connectors, which have `settings`. */
  url: string;
  /** What tells one connection of a connector from another: its first plain settings. */
  settings: { name: string; value: string }[];
  state: TrailState;
  attempts: AttemptView[];
}

/** Recomputed on a node on demand. */
export type MessagePayloads =
  | {
      ok: true;
      input: PayloadView;
      inputHeaders: Record<string, string>;
      steps: {
        id: string;
        result: 'ok' | 'filtered' | 'failed';
        instructions: number;
        /** By what they were for, where the language tells them apart. */
        split: { decode: number; logic: number; encode: number } | null;
        durationUs: number;
        output: PayloadView | null;
        logs: string[];
        reason: string | null;
        /** The way that a filtered message goes instead, when the step named one. */
        route: string | null;
        line: number | null;
      }[];
    }
  | { ok: false; reason: string };

export interface DeadLetterView {
  messageId: string;
  destinationId: string;
  destinationName: string;
  pipelineId: string;
  pipelineName: string;
  at: string;
  attempts: number;
  code: string;
  reason: string;
  peerStatus: number | null;
  /** When it was last sent again, and as which message. */
  resentAt: string | null;
  resentAs: string | null;
}
