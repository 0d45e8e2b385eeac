import { randomUUID } from 'node:crypto';
import examples from '@octokit/webhooks-examples' with { type: 'json' };
import { sign } from '@octokit/webhooks-methods';

const [pullRequest] = (examples as unknown as { name: string; examples: object[] }[]).find(({ name }) => name === 'pull_request')?.examples ?? [];

export interface Answered {
  status: number;
  /** Of a 202. */
  messageId?: string;
  /** Of a refusal. */
  code?: string;
}

/** Delivers a pull request as GitHub does, signed with the secret. */
export async function deliver(url: string, secret: string): Promise<Answered> {
  const delivery = randomUUID();
  const body = JSON.stringify({ ...pullRequest, delivery });
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'GitHub-Hookshot/0a1b2c3',
      'x-github-event': 'pull_request',
      'x-github-delivery': delivery,
      'x-hub-signature-256': await sign(secret, body),
    },
    body,
  });
  return { status: response.status, ...((await response.json()) as object) };
}

/** Delivers one pull request after the other, each signed as `secret` says then, until it is stopped. */
export function startFlow(url: string, everyMs: number) {
  let secrets: string[] = [];
  let isOver = false;
  const answers: Answered[] = [];
  const done = (async () => {
    for (let i = 0; !isOver; i++) {
      const secret = secrets[i % secrets.length];
      if (secret !== undefined) answers.push(await deliver(url, secret));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    answers,
    /** From now on, in turn. */
    signWith(...next: string[]) {
      secrets = next;
    },
    async stop() {
      isOver = true;
      await done;
    },
  };
}
