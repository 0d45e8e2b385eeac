import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createLabelBudget } from './core/label-budget.ts';

/** Everything a node counts. Parts count; only the ops server reads. Labels are bounded: beyond the budget a tenant is `_other`. */
export type NodeMetrics = ReturnType<typeof createMetrics>;

/** Values with a label of their own. */
const tenantsMax = 50;
const pipelinesMax = 200;
/** Versions of connectors. */
const releasesMax = 100;
/** Reasons of sources; the codes are the connectors' own. */
const refusalsMax = 40;

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const rpcBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];
type ProcessLabel = 'connector' | 'version' | 'role' | 'tenant';
const processLabels: ProcessLabel[] = ['connector', 'version', 'role', 'tenant'];

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'vrsky_' });
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Counter({ name, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) => new Gauge({ name, help, labelNames, registers });
  const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: T[] = []) =>
    new Histogram({ name, help, buckets, labelNames, registers });
  return {
    registry,
    tenantLabel: createLabelBudget(tenantsMax),
    pipelineLabel: createLabelBudget(pipelinesMax),
    releaseLabel: createLabelBudget(releasesMax),
    refusalLabel: createLabelBudget(refusalsMax),
    intake: counter('vrsky_intake_messages_total', 'Messages that a source connector handed over, by what it was told.', ['tenant', 'status']),
    intakeWaiting: gauge('vrsky_intake_waiting_messages', 'Messages that wait to be stored.'),
    packMessages: histogram('vrsky_pack_messages', 'Messages in one stored pack.', [1, 2, 4, 8, 16, 32, 64, 128, 256]),
    pubAck: histogram('vrsky_pub_ack_seconds', 'From the publish of a pack to its storage on disk.', secondsBuckets),
    replies: counter('vrsky_replies_total', 'Results for senders who wait: told, not there in time, or there when nobody waited any more.', [
      'tenant',
      'result',
    ]),
    outcomes: counter('vrsky_messages_total', 'Messages that reached their outcome at a destination.', ['tenant', 'outcome']),
    attempts: counter('vrsky_delivery_attempts_total', 'Attempts at destinations, by their result and where the trouble was.', ['tenant', 'status', 'source']),
    deliverySeconds: histogram('vrsky_delivery_duration_seconds', 'One attempt at a destination.', secondsBuckets),
    stepSeconds: histogram(
      'vrsky_step_duration_seconds',
      'One step on one message.',
      [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
      ['kind'],
    ),
    stepInstructions: histogram(
      'vrsky_step_instructions',
      'WebAssembly instructions of one step on one message.',
      [1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 2e7],
      ['kind'],
    ),
    instructionsTotal: counter('vrsky_step_instructions_total', 'WebAssembly instructions of steps.', ['tenant']),
    stepResults: counter('vrsky_step_results_total', 'Runs of steps by result.', ['kind', 'result']),
    quarantined: counter('vrsky_quarantined_messages_total', 'Messages set aside because their Customer-ID, pipeline or proof did not match.', [
      'tenant',
      'hop',
    ]),
    redelivered: counter('vrsky_redelivered_packs_total', 'Packs that the server delivered again.'),
    packsInHand: gauge('vrsky_delivery_packs_in_hand', 'Packs taken from the queue and not yet acknowledged.'),
    messagesInHand: gauge('vrsky_delivery_messages_in_hand', 'Messages of these packs without an outcome yet.'),
    queueAge: gauge('vrsky_queue_age_seconds', 'Age of the oldest message that waits for its outcome, of the pipelines with the oldest.', [
      'tenant',
      'pipeline',
    ]),
    orderedBlocked: gauge(
      'vrsky_ordered_blocked_seconds',
      'Age of the oldest message in strict order that waits for its next attempt, with all later ones behind it, of the pipelines with the oldest.',
      ['tenant', 'pipeline'],
    ),
    queuePending: gauge('vrsky_queue_pending_packs', 'Packs in the stream that no node has taken, of the pipelines with the most.', ['tenant', 'pipeline']),
    generation: gauge('vrsky_config_generation', 'Generation of the bundle: desired by the control plane, applied by this node.', ['tenant', 'state']),
    rejectedBundles: counter('vrsky_config_rejected_total', 'Configuration documents that were refused.', ['code']),
    configAge: gauge('vrsky_config_contact_age_seconds', 'Since the control plane was last reached; the running configuration does not depend on it.'),
    natsUp: gauge('vrsky_nats_up', '1 while the account is connected.', ['account']),
    pluginCpu: counter('vrsky_plugin_cpu_seconds_total', 'CPU time of connector processes and all that they started, over all their starts.', processLabels),
    pluginRss: gauge('vrsky_plugin_rss_bytes', 'Resident memory of connector processes and all that they started.', processLabels),
    pluginFds: gauge('vrsky_plugin_open_fds', 'Open descriptors of connector processes; absent where the system does not show them.', processLabels),
    pluginThreads: gauge('vrsky_plugin_threads', 'Threads of connector processes.', processLabels),
    pluginProcesses: gauge('vrsky_plugin_processes', 'Processes that connectors consist of, those of their sandbox included.', processLabels),
    pluginRestarts: counter('vrsky_plugin_restarts_total', 'How often a connector process was started again.', processLabels),
    pluginUp: gauge('vrsky_plugin_up', '1 while every connector process of these labels is running.', processLabels),
    pluginHandshake: gauge('vrsky_plugin_handshake_seconds', 'From launch to the first answer of the last start of a connector process.', processLabels),
    pluginMessages: counter('vrsky_plugin_messages_total', 'Messages handed to connectors (sent) and taken from them (received).', [
      'connector',
      'version',
      'tenant',
      'direction',
    ]),
    sourceRefused: counter('vrsky_source_refused_requests_total', 'Requests that sources refused by their settings, by the code that the sender was told.', [
      'connector',
      'tenant',
      'reason',
    ]),
    sourceUnwrittenIds: counter(
      'vrsky_source_unwritten_ids_total',
      'Ids of senders that a source has in memory alone because the disk did not take them: after a restart what comes again is a message again.',
      ['connector', 'tenant'],
    ),
    pluginRpcSeconds: histogram('vrsky_plugin_rpc_duration_seconds', 'Single calls to connectors; streams are not timed.', rpcBuckets, ['connector', 'method']),
    pluginRpcFailures: counter('vrsky_plugin_rpc_failures_total', 'Calls and streams that did not end with OK.', ['connector', 'method', 'status']),
    pluginRpcRefused: counter('vrsky_plugin_rpc_refused_total', 'Calls that are not on the list and were not sent.', ['connector', 'method']),
    pluginLogBytesDropped: counter('vrsky_plugin_log_dropped_bytes_total', 'Bytes that connectors wrote too fast and that were left out of the log.', [
      'connector',
      'tenant',
    ]),
    pluginStrays: counter('vrsky_plugin_stray_results_total', 'Results that answered nothing: for unknown messages, a second time, past the deadline.', [
      'connector',
      'tenant',
      'kind',
    ]),
    sandboxLayer: gauge('vrsky_plugin_sandbox_layer', '1 for the state that a layer of the sandbox is in on this node.', ['layer', 'state']),
    callRecordsWaiting: gauge('vrsky_plugin_call_records_waiting', 'Records of connector calls that wait for NATS.'),
    callRecordsDropped: counter('vrsky_plugin_call_records_dropped_total', 'Records of connector calls that were given up because NATS was away too long.'),
    logicPending: gauge('vrsky_logic_pending_messages', 'Messages that wait for a step or are in one.'),
    logicReplaced: counter('vrsky_logic_workers_replaced_total', 'Worker threads that were replaced.'),
  };
}
