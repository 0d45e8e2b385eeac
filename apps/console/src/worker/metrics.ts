import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface WorkerMetrics {
  registry: Registry;
  generationDesired: Gauge<'pool'>;
  outboxPending: Gauge;
  outboxOldestSeconds: Gauge;
  relayFailures: Counter;
  projectorLagSeconds: Gauge;
  projectorRejected: Counter<'reason'>;
  messages: Counter<'outcome'>;
  nodes: Gauge<'liveness'>;
  leading: Gauge;
}

export function createWorkerMetrics(): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    generationDesired: new Gauge({
      name: 'vrsky_config_generation_desired',
      help: 'Generation of the newest head of each node pool.',
      labelNames: ['pool'],
      registers,
    }),
    outboxPending: new Gauge({ name: 'vrsky_outbox_pending', help: 'Changes that are committed and not yet on the bus.', registers }),
    outboxOldestSeconds: new Gauge({ name: 'vrsky_outbox_oldest_age_seconds', help: 'Age of the oldest change that is not yet on the bus.', registers }),
    relayFailures: new Counter({ name: 'vrsky_relay_failures_total', help: 'Tries to bring the bus in line that failed and are made again.', registers }),
    projectorLagSeconds: new Gauge({ name: 'vrsky_projector_lag_seconds', help: 'Age of the oldest trail record that is not yet in the tables.', registers }),
    projectorRejected: new Counter({
      name: 'vrsky_projector_rejected_total',
      help: 'Trail records that could not be taken into the tables.',
      labelNames: ['reason'],
      registers,
    }),
    messages: new Counter({
      // Not the name that nodes count under, or a sum over all targets would count each message twice.
      name: 'vrsky_projected_messages_total',
      help: 'Messages by the outcome they came to, as projected from the trails.',
      labelNames: ['outcome'],
      registers,
    }),
    nodes: new Gauge({ name: 'vrsky_nodes', help: 'Enrolled nodes by the age of their lease.', labelNames: ['liveness'], registers }),
    leading: new Gauge({ name: 'vrsky_worker_leading', help: '1 when this worker does the work, 0 when it stands by.', registers }),
  };
}
