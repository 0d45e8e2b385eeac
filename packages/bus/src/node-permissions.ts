import type { Permissions } from '@nats-io/jwt';
import { bucketNames, configKeys, inboxPrefix, statusKeys, streamNames, subjects } from '@vrsky/contracts/subjects';
import { bucketStream, bucketSubject } from './stream-configs.ts';

export interface NodeIdentity {
  nodeId: string;
  pool: string;
  /** The node's NATS user key (`U…`). */
  publicKey: string;
}

/** How long a node may take to answer a request of the console. */
const ANSWER_WITHIN_MS = 60_000;

/** In CONTROL a node reads its pool's and its own configuration and writes its own status, nothing else. */
export function controlPermissions({ nodeId, pool }: NodeIdentity): Permissions {
  const config = bucketStream(bucketNames.config);
  const readable = [configKeys.poolAll(pool), configKeys.nodeAll(nodeId)].map((keys) => bucketSubject(bucketNames.config, keys));
  return {
    pub: {
      allow: [
        // The key is in the subject of these two, so the server checks it. Never add STREAM.MSG.GET or STREAM.INFO: there it
        // is in the body, and one grant reads every key, or names every tenant.
        ...readable.map((keys) => `$JS.API.CONSUMER.CREATE.${config}.*.${keys}`),
        ...readable.map((keys) => `$JS.API.DIRECT.GET.${config}.${keys}`),
        `$JS.FC.${config}.>`,
        // Written, not read back: with a direct get whose answer goes to another node's key, a node could forge that node's status.
        bucketSubject(bucketNames.status, statusKeys.nodeAll(nodeId)),
      ],
    },
    sub: { allow: [`${inboxPrefix(nodeId)}.>`] },
  };
}

/** In a tenant's account a node stores, works off and keeps the books of messages; it manages nothing. */
export function tenantPermissions({ nodeId, pool }: NodeIdentity): Permissions {
  const { ingest, retry, trail } = streamNames;
  return {
    pub: {
      allow: [
        ...['in.>', 'retry.>', 'dlq.>', 'quarantine.>', 'trail.>'],
        // To whichever node took the message in: all nodes of a tenant have its messages and its proof key anyway.
        subjects.reply('*'),
        // Its own name is in the subject: what a node says its connectors did cannot be said in another's name.
        subjects.calls(nodeId),
        ...[ingest, retry].flatMap((stream) => [
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
          `$JS.API.CONSUMER.INFO.${stream}.>`,
          `$JS.API.STREAM.INFO.${stream}`,
          // The second form, with domain and account, is the one that newer servers can be switched to.
          `$JS.ACK.${stream}.>`,
          `$JS.ACK.*.*.${stream}.>`,
        ]),
        `$JS.API.DIRECT.GET.${ingest}`,
        // The subject is in the request's, so the server checks it: how far a destination in strict order has come, and nothing else of the trail.
        `$JS.API.DIRECT.GET.${trail}.${subjects.orderedTrail('*', '*')}`,
      ],
    },
    sub: { allow: [`${inboxPrefix(nodeId)}.>`, subjects.run(pool), subjects.connector(pool), subjects.reply(nodeId)] },
    resp: { max: 1, ttl: ANSWER_WITHIN_MS * 1_000_000 },
  };
}
