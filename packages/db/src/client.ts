import { PrismaPg } from '@prisma/adapter-pg';
import { describeError } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import pg from 'pg';
import { type Prisma, PrismaClient } from './generated/client.ts';

/** A pool of connections as one role: typed queries through `prisma`, hand-written SQL through `pool`. Close it by disposing. */
export interface Db extends Part {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  readonly url: string;
}

export interface DbOptions {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  /** Connections at most. */
  max?: number;
  /** Acts as this role instead of the URL's; that one has to be allowed to (`SET ROLE`). */
  actAs?: string;
  log?: (line: string) => void;
}

/** Connects when first used. A connection that breaks is replaced; the query on it fails. */
export function createDb(options: DbOptions): Db {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.max ?? 10,
    ...(options.actAs === undefined ? {} : { options: `-c role=${options.actAs}` }),
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  // Without a listener, a server that goes away under an idle connection ends the process.
  pool.on('error', (error) => options.log?.(`an idle database connection broke: ${describeError(error)}`));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false }), transactionOptions: { maxWait: 5_000, timeout: 20_000 } });
  return {
    name: 'database',
    prisma,
    pool,
    url: options.url,
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** A transaction in which row-level security shows one tenant's rows and no others. */
export type TenantTx = Prisma.TransactionClient;

/** Runs `work` in one transaction of one tenant. The setting ends with the transaction, so a pooled connection carries nothing over. */
export function withTenant<T>(db: Db, tenantId: string, work: (tx: TenantTx) => Promise<T>): Promise<T> {
  return db.prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT set_config('app.tenant_id', ${tenantId}, true)`;
    return work(tx);
  });
}
