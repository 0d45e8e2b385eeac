import { sleep } from '@vrsky/kernel/lifecycle';
import { createLog } from '@vrsky/kernel/log';
import { methodPath } from '@vrsky/plugin/rpc';
import type { Sandbox } from '@vrsky/plugin/sandbox/confine';
import { Connector } from '@vrsky/proto/gen/vrsky/connector/v1/connector_pb';
import { encodeBatch, type Message } from '@vrsky/proto/message-codec';
import { createCallLedger, type ProcessCalls } from '../../../apps/node/src/plugins/call-ledger.ts';
import { createConnectorHost } from '../../../apps/node/src/plugins/connector-host.ts';
import type { ConnectorConnection } from '../../../apps/node/src/plugins/connector-session.ts';
import type { Release } from '../../../apps/node/src/plugins/release-store.ts';
import type { OutgoingMessage } from '../../../apps/node/src/plugins/sends.ts';
import { type Line, WINDOW } from './line.ts';

const tenantId = 'cus_01jbenchbenchbenchbenchben';
const messageId = 'msg_01jbenchbenchbenchbenchben';
const source: ConnectorConnection = { connectionId: 'pip_01jbenchbenchbenchbenchben/source', tenantId, role: 'source', settings: { senders: WINDOW } };
const destination: ConnectorConnection = { connectionId: 'pip_01jbenchbenchbenchbenchben/to', tenantId, role: 'destination', settings: {} };

const outgoing: OutgoingMessage = {
  connectionId: destination.connectionId,
  customerId: tenantId,
  pipelineId: 'pip_01jbenchbenchbenchbenchben',
  messageId,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: '',
  attempt: 1,
  headers: [['ce-type', 'bench']],
  payload: Buffer.alloc(1_024, 'x'),
  contentType: 'application/octet-stream',
};
const { payload, headers, contentType } = outgoing;
const TYPICAL_SEQ = 1_000_000;
/** Tag and length of a message in its frame. */
const ENTRY_BYTES = 3;
const bytesOf = (message: Partial<Message>): number => encodeBatch([message]).length - ENTRY_BYTES;

/** The length of a message of 1 KB with what the protocol adds to it, in either direction. */
export const messageBytes = {
  sentBytes: bytesOf({ ...outgoing, seq: TYPICAL_SEQ }),
  receivedBytes: bytesOf({ seq: TYPICAL_SEQ, connectionId: source.connectionId, receivedAtUs: Date.now() * 1_000, headers, payload, contentType }),
};

const streams = [Connector.method.send, Connector.method.receive].map(methodPath);
const SEND_MS = 30_000;
const QUIET_MS = 20;
const log = createLog('bench', 'error');
/** Counted as on a node; where a node would then bring the counts is nobody's. */
const ledger = createCallLedger({ nodeId: 'bench', publish: async () => undefined, log });

/** The node's own host of a connector, its books included, as a node has it. */
export async function openHop(release: Release, sandbox: Sandbox | undefined): Promise<Line> {
  const seat = ledger.seat({ connector: 'bench', tenantId });
  const books: ProcessCalls[] = [];
  const host = createConnectorHost({
    name: 'bench',
    tenantId,
    release,
    env: {},
    sandbox,
    credit: WINDOW,
    openCalls({ digest }) {
      const book = seat.open(digest);
      books.push(book);
      return book;
    },
    log,
  });
  let received = 0;
  let onMessages = (_count: number): void => undefined;
  host.onReceive((entries) => {
    for (const { seq } of entries) host.ack(seq, 'stored', { messageId });
    received += entries.length;
    onMessages(entries.length);
  });
  /** What was on its way when the source was taken away must not fall into the next measurement. */
  const untilQuiet = async (): Promise<void> => {
    for (let before = -1; before !== received; await sleep(QUIET_MS)) before = received;
  };
  await host.start?.(new AbortController().signal);
  let generation = 0;
  const configure = async (connections: ConnectorConnection[]): Promise<void> => {
    const [refused] = await host.configure(++generation, connections);
    if (refused !== undefined) throw new Error(`the connector refuses ${refused.connectionId}: ${JSON.stringify(refused.errors)}`);
  };
  await configure([destination]);
  return {
    pid: host.state().pid ?? 0,
    send(answered) {
      void host.send(outgoing, SEND_MS).then((outcome) => {
        if (outcome.status !== 'ok') throw new Error(`the connector answers ${outcome.status}: ${outcome.reason}`);
        answered();
      });
    },
    async receive(heard) {
      onMessages = heard;
      await configure([source, destination]);
      return async () => {
        await configure([destination]);
        await untilQuiet();
      };
    },
    frames: () =>
      books
        .flatMap(({ calls }) => streams.map((method) => calls.counter(method)))
        .reduce((sum, { framesSent, framesReceived }) => sum + framesSent + framesReceived, 0),
    close: () => host[Symbol.asyncDispose](),
  };
}
