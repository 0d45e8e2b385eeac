import { issueControlJwt } from '@vrsky/bus/admin';
import type { EnrolmentRequest, EnrolmentResponse } from '@vrsky/contracts/enrolment';
import { newId } from '@vrsky/contracts/ids';
import type { Db } from '@vrsky/db/client';
import { AppError } from '@vrsky/kernel/errors';
import { OUTBOX_CHANNEL } from '../../../server/live-channel.ts';
import type { Platform } from '../../../server/platform.ts';
import { hashJoinToken } from './join-token.ts';

/**
 * A node exchanges its join token for an identity on the bus. The token is used up in the database, in one statement: of two nodes
 * with the same token one is let in. The same node asking again, because an answer was lost, gets the same identity.
 */
export async function enrolNode({ db, platform }: { db: Db; platform: Platform }, request: EnrolmentRequest): Promise<EnrolmentResponse> {
  const [node] = await db.prisma.$queryRaw<{ id: string; pool: string }[]>`
    SELECT id, pool FROM enrol_node(${hashJoinToken(request.token)}, ${newId('nod')}, ${request.name}, ${request.version}, ${request.identityKey}, ${request.sealKey})`;
  if (!node) {
    const publicMessage = 'This join token is unknown, used or expired. Make a new one and start the node with it.';
    throw new AppError({
      code: 'NODE.TOKEN_REFUSED',
      kind: 'unauthenticated',
      message: `node ${request.name} came with a join token that is unknown, used or expired`,
      publicMessage,
    });
  }
  // The relay grants the new node its tenants.
  await db.prisma.$executeRaw`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`;
  return {
    nodeId: node.id,
    pool: node.pool,
    natsUrl: platform.config.natsUrl,
    controlJwt: await issueControlJwt(platform.nats, { nodeId: node.id, pool: node.pool, publicKey: request.identityKey }),
    trustedKeys: platform.trustedKeys,
  };
}
