import type { DestinationSpec, RetryPolicy } from '@vrsky/contracts/pipeline-spec';
import { formatCount } from '../../ui/format.ts';
import type { DestinationHealth } from '../messages/types.ts';

export interface DestinationWords {
  title: string;
  /** What the customer can do, and what happens without them. */
  todo: string[];
}

/** How a destination does, for the customer; times stand beside it. */
export function destinationWords(name: string, health: DestinationHealth, destination: Pick<DestinationSpec, 'retry' | 'order'> | undefined): DestinationWords {
  const called = `“${name}”`;
  const todo = [causeOf(health), nothingIsLost(health, destination?.retry), orderOf(health, destination?.order), deadOf(health)].filter(
    (part) => part !== null,
  );
  if (health.state === 'recovered') return { title: `${called} takes messages again`, todo };
  if (health.state === 'recovering') return { title: `${called} takes messages again; ${waitOf(health)} for the next attempt`, todo };
  if (health.waiting === 0) return { title: `${called} could not take ${formatCount(health.dead?.count ?? 0, 'message')}`, todo };
  const asked = health.failure?.peerStatus === 429;
  return { title: `${called} ${asked ? 'asks to slow down' : 'does not take messages'}: ${waitOf(health)}`, todo };
}

function waitOf({ waiting, moreWait }: DestinationHealth): string {
  return `${moreWait ? 'more than ' : ''}${formatCount(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'}`;
}

/** By the code of the last failure. */
function causeOf({ state, failure }: DestinationHealth): string | null {
  if (state !== 'failing' || failure === null) return null;
  const { code, peerStatus } = failure;
  if (peerStatus === 429) return 'The receiver says when it takes more. If that happens often, set how many requests a second it gets, under Advanced.';
  if (peerStatus !== null && peerStatus >= 500) return 'The receiver itself failed: its log says why. Its answer stands in the trail of each message.';
  if (code === null) return null;
  return causes[code] ?? null;
}

const causes: Record<string, string> = {
  connect_refused: 'Start the receiver, or correct the URL of the destination.',
  connect_timeout: 'Look whether the receiver runs, and whether its firewall lets the nodes in.',
  unreachable: 'Look whether the receiver’s network is up, and whether the URL of the destination is right.',
  dns_failed: 'Correct the name in the URL of the destination, or its entry at the name server.',
  timeout: 'Look why the receiver is slow, or give it more time in the destination.',
  connection_lost: 'Look at the receiver’s log: it broke off in the middle.',
  tls_failed: 'Renew or complete the receiver’s certificate; for an authority of your own, enter it under TLS.',
  token_refused: 'Check client id, secret and scope of the destination’s authentication.',
};

function nothingIsLost({ state, waiting }: DestinationHealth, retry: RetryPolicy | undefined): string | null {
  if (waiting === 0) return null;
  if (state === 'recovering') return 'They are delivered when their time has come; nothing needs to be done.';
  const times = retry ? `${formatCount(retry.attempts, 'time')} in all` : 'as often as the destination says';
  return `Nothing is lost: each message is tried ${times}, with growing waits, and is delivered as soon as the receiver answers. After its last attempt it is kept as a dead letter, to be sent again.`;
}

function orderOf({ state, waiting }: DestinationHealth, order: DestinationSpec['order']): string | null {
  if (order !== 'strict' || state !== 'failing' || waiting < 2) return null;
  return 'In strict order the others wait behind the one that is tried. A new revision is tried at once.';
}

function deadOf({ dead }: DestinationHealth): string | null {
  if (dead === null) return null;
  return `${formatCount(dead.count, 'message')} of the last 24 hours ${dead.count === 1 ? 'is a dead letter' : 'are dead letters'}, to be sent again when the cause is mended: ${dead.reason}`;
}
