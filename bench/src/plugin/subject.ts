import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import type { ReleaseStore } from '../../../apps/node/src/plugins/release-store.ts';
import { LatencyHistogram } from '../report.ts';
import { messageBytes, openHop } from './hop.ts';
import type { Line, Slice } from './line.ts';
import type { Programs } from './programs.ts';
import { openRawLine } from './raw-host.ts';
import { type Start, startConnectorOnce, startRawPeerOnce } from './starts.ts';
import type { Memory } from './usage.ts';

export type Kind = 'raw' | 'connector' | 'sandboxed';
export type Load = 'send' | 'receive' | 'steady';

/** What is measured, and what came of it so far. */
export interface Subject {
  readonly language: Programs['language'];
  readonly kind: Kind;
  /** Starts it and ends it. */
  start(): Promise<Start>;
  open(): Promise<Line>;
  readonly starts: Start[];
  /** By round. */
  readonly slices: Record<Load, Slice[]>;
  /** Of the steady load. */
  readonly latency: LatencyHistogram;
  idle: Memory;
  loaded: Memory;
}

/** The raw socket of a language, its connector, and that in the sandbox. `dir` is for sockets. */
export async function createSubjects(
  { language, connector, rawPeer }: Programs,
  { store, sandbox, dir }: { store: ReleaseStore; sandbox: Sandbox; dir: string },
): Promise<Subject[]> {
  const release = await store.admit(connector);
  const create = (kind: Kind, ways: Pick<Subject, 'start' | 'open'>): Subject => ({
    ...{ language, kind, ...ways, starts: [], slices: { send: [], receive: [], steady: [] }, latency: new LatencyHistogram() },
    ...{ idle: { pss: Number.NaN, rss: Number.NaN }, loaded: { pss: Number.NaN, rss: Number.NaN } },
  });
  return [
    create('raw', { start: () => startRawPeerOnce(rawPeer, dir), open: () => openRawLine(rawPeer, dir, messageBytes) }),
    create('connector', { start: () => startConnectorOnce(release, undefined), open: () => openHop(release, undefined) }),
    create('sandboxed', { start: () => startConnectorOnce(release, sandbox), open: () => openHop(release, sandbox) }),
  ];
}
