import { createBusAdmin, type TenantAccount } from '@vrsky/bus/admin';
import { createDb, type Db } from '@vrsky/db/client';
import type { Part, Use } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import { openTenantAccount } from '../features/tenancy/server/tenant-account.ts';
import type { ConsoleSecrets, WorkerConfig } from '../server/config.ts';
import { createPlatform } from '../server/platform.ts';
import { createLeader, type Leader } from './leader.ts';
import { createLiveNotifier } from './live-notifier.ts';
import { createWorkerMetrics } from './metrics.ts';
import { createOpsServer } from './ops-server.ts';
import { createConfigWriter } from './relay/config-writer.ts';
import { runOverlaps } from './relay/end-overlaps.ts';
import { runRelay } from './relay/relay.ts';
import { runRelief } from './relay/relief.ts';
import { runRetirement } from './retire/retire-pipelines.ts';
import { runStatusWatcher } from './status/status-watcher.ts';
import { runProjector } from './trail/projector.ts';

export interface WorkerOptions {
  config: WorkerConfig;
  secrets: ConsoleSecrets;
  log: Log;
  /** For tests that do not want to wait as long as a dead node's packs stay with it. */
  retireIdleMs?: number;
  /** For tests of what happens when a replaced secret's time is over. */
  overlapsEveryMs?: number;
}

/** The control worker: carries configuration to the bus, and what happens there into the database. */
export async function buildWorker(use: Use, { config, secrets, log, retireIdleMs, overlapsEveryMs }: WorkerOptions): Promise<{ port: number; leader: Leader }> {
  const platform = createPlatform(config, secrets.keys);
  const metrics = createWorkerMetrics();
  const db = await use(createDb({ url: secrets.databaseUrl, name: 'vrsky worker', max: 12, log: (line) => log.warn(line) }));
  const bus = createBusAdmin({ url: config.natsUrl, keys: secrets.keys.nats, name: 'vrsky-worker', log: (line) => log.info(line) });
  await use(disposable('bus', () => bus.close()));
  const live = await use(createLiveNotifier({ db, log }));

  const writer = createConfigWriter({ db, bus, platform, metrics });
  const listTenants = () => listAccounts(db, writer.isReady, (row) => openTenantAccount(platform.kek, row));
  const leader = createLeader({
    url: secrets.databaseUrl,
    log,
    duties: {
      relay: (stop) => runRelay({ db, bus, writer, metrics, log: log.child({ part: 'relay' }) }, stop),
      overlaps: (stop) =>
        runOverlaps({ db, platform, log: log.child({ part: 'overlaps' }), ...(overlapsEveryMs === undefined ? {} : { everyMs: overlapsEveryMs }) }, stop),
      relief: (stop) => runRelief({ bus, listTenants, listBusyTenants: () => listBusyTenants(db), log: log.child({ part: 'relief' }) }, stop),
      retirement: (stop) =>
        runRetirement(
          { db, bus, kek: platform.kek, log: log.child({ part: 'retirement' }), ...(retireIdleMs === undefined ? {} : { idleMs: retireIdleMs }) },
          stop,
        ),
      status: (stop) => runStatusWatcher({ db, bus, metrics, log: log.child({ part: 'status' }), onChanged: live.changed }, stop),
      projector: (stop) =>
        runProjector(
          {
            db,
            bus,
            metrics,
            log: log.child({ part: 'projector' }),
            listTenants,
            onChanged: (tenantId, pipelineIds) => live.changed(messagesNotice(tenantId, pipelineIds)),
            onCalls: (tenantId) => live.changed({ tenantId, kind: 'calls' }),
          },
          stop,
        ),
    },
  });
  const ops = await use(
    createOpsServer({
      host: config.host,
      port: config.port,
      registry: metrics.registry,
      findNotReady: () => notReady(leader),
      beforeMetrics: () => metrics.leading.set(leader.state === 'leading' ? 1 : 0),
    }),
  );
  await use(leader);
  return { port: ops.port, leader };
}

async function listAccounts(
  db: Db,
  isReady: (tenantId: string) => boolean,
  open: (row: { id: string; accountSeed: Uint8Array; accountKek: string }) => TenantAccount,
): Promise<TenantAccount[]> {
  const rows = await db.prisma.tenant.findMany({ select: { id: true, accountSeed: true, accountKek: true }, orderBy: { id: 'asc' } });
  return rows.filter((row) => isReady(row.id)).map(open);
}

async function listBusyTenants(db: Db): Promise<Set<string>> {
  const rows = await db.prisma.$queryRaw<{ id: string }[]>`SELECT tenant_id AS id FROM trail_position WHERE behind OR as_of > now() - interval '5 minutes'`;
  return new Set(rows.map((row) => row.id));
}

function messagesNotice(tenantId: string, pipelineIds: Set<string>) {
  const [only] = pipelineIds;
  return { tenantId, kind: 'messages' as const, ...(pipelineIds.size === 1 && only ? { pipelineId: only } : {}) };
}

function notReady(leader: Leader): string | null {
  if (leader.state === 'leading' || leader.state === 'standing by') return null;
  return leader.state === 'starting' ? 'starting' : 'the database cannot be reached';
}

function disposable(name: string, close: () => Promise<void>): Part {
  return { name, [Symbol.asyncDispose]: close };
}
