import type { DestinationSpec, PipelineDraft, StepSpec } from '@vrsky/contracts/pipeline-spec';
import { eventually } from '@vrsky/testkit/eventually';
import type { DeadLetterView, MessageDetail, MessageSummary } from '../../apps/console/src/features/messages/types.ts';
import type { RolloutView } from '../../apps/console/src/features/nodes/types.ts';

/** A tenant as its own program sees VRSky: through the REST API with its key, and through the URLs of its pipelines. */
export interface Tenant {
  readonly slug: string;
  readonly customerId: string;
  readonly user: { email: string; password: string };
  /** One call of the REST API, whatever it answers. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The same, of which anything but success is a failure of the test. */
  get<T>(path: string): Promise<T>;
  /** Saves and publishes without waiting for the nodes. With `of`, the next revision of that pipeline. */
  release(parts: PipelineParts, of?: Pipeline): Promise<Pipeline>;
  /** Saves, publishes, and waits until every node runs it. */
  publish(parts: PipelineParts, of?: Pipeline): Promise<Pipeline>;
  waitUntilApplied(pipeline: Pipeline): Promise<void>;
  rollout(pipeline: Pipeline): Promise<RolloutView[]>;
  /** All of the pipeline's, page by page. */
  messages(pipeline: Pipeline): Promise<MessageSummary[]>;
  deadLetters(pipeline: Pipeline): Promise<DeadLetterView[]>;
  /** The trail of a message, once it is as wanted: by default once it has an outcome at every destination. */
  trail(messageId: string, isWanted?: (trail: MessageDetail) => boolean, timeoutMs?: number): Promise<MessageDetail>;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

export interface Pipeline {
  readonly id: string;
  readonly ingestUrl: string;
  readonly revision: number;
}

export interface PipelineParts {
  name: string;
  steps?: { id: string; kind: StepSpec['kind']; source: string }[];
  /** By id. */
  to: Record<string, { url: string; timeoutMs?: number; retry?: DestinationSpec['retry'] }>;
}

export function createTenant(consoleUrl: string, tenant: Pick<Tenant, 'slug' | 'customerId' | 'user'>, apiKey: string): Tenant {
  const call: Tenant['call'] = async (method, path, { body, headers = {} } = {}) => {
    const response = await fetch(`${consoleUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    return toAnswer(response);
  };
  const must = async <T>(method: string, path: string, options?: CallOptions): Promise<T> => {
    const { status, body } = await call(method, path, options);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body as T;
  };
  const all = async <T>(path: string): Promise<T[]> => {
    const items: T[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { items: T[]; nextCursor: string | null } = await must(
        'GET',
        `${path}&limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  };
  const rollout: Tenant['rollout'] = async ({ id }) => (await must<{ items: RolloutView[] }>('GET', `/pipelines/${id}/rollout`)).items;

  const release: Tenant['release'] = async (parts, of) => {
    const draft = toDraft(parts);
    const { id, ingestUrl } = of ?? (await must<Pipeline>('POST', '/pipelines', { body: { name: parts.name, draft } }));
    if (of !== undefined) {
      const standing = await must<{ draft: PipelineDraft }>('GET', `/pipelines/${id}`);
      await must('PATCH', `/pipelines/${id}`, { body: { draft: { ...standing.draft, ...draft } }, headers: { 'if-match': '*' } });
    }
    const { revision } = await must<{ revision: number }>('POST', `/pipelines/${id}/publish`);
    return { id, ingestUrl, revision };
  };
  const waitUntilApplied: Tenant['waitUntilApplied'] = async (pipeline) => {
    await eventually(
      async () => {
        const ticks = await rollout(pipeline);
        if (ticks.length === 0 || ticks.some((tick) => tick.state !== 'applied')) throw new Error(JSON.stringify(ticks));
      },
      { timeoutMs: APPLIED_MS, everyMs: 50, what: `revision ${pipeline.revision} of ${pipeline.id} to be applied` },
    );
  };

  return {
    ...tenant,
    call,
    get: (path) => must('GET', path),
    release,
    async publish(parts, of) {
      const pipeline = await release(parts, of);
      await waitUntilApplied(pipeline);
      return pipeline;
    },
    waitUntilApplied,
    rollout,
    messages: ({ id }) => all(`/messages?pipelineId=${id}`),
    deadLetters: ({ id }) => all(`/dead-letters?pipelineId=${id}`),
    trail: (messageId, isWanted = hasOutcome, timeoutMs = 30_000) =>
      eventually(
        async () => {
          const trail = await must<MessageDetail>('GET', `/messages/${messageId}`);
          if (!isWanted(trail)) throw new Error(JSON.stringify(trail));
          return trail;
        },
        { timeoutMs, everyMs: 50, what: `the trail of ${messageId}` },
      ),
  };
}

/** Sends a message to a pipeline's URL. */
export async function post(url: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(CALL_MS),
  });
  return toAnswer(response);
}

/** The same, which has to be accepted; gives back the message's id. */
export async function send(url: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}): Promise<string> {
  const answer = await post(url, body, headers);
  if (answer.status !== 202) throw new Error(`${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return (answer.body as { messageId: string }).messageId;
}

export function hasOutcome(trail: Pick<MessageDetail, 'destinations'>): boolean {
  return trail.destinations.length > 0 && trail.destinations.every(({ state }) => state !== 'retrying');
}

const CALL_MS = 30_000;
const APPLIED_MS = 60_000;

function toDraft({ steps = [], to }: PipelineParts): Pick<PipelineDraft, 'steps'> & { destinations: unknown[] } {
  return {
    steps: steps.map((step) => ({ ...step, name: step.id, language: 'typescript' })),
    destinations: Object.entries(to).map(([id, { retry, ...settings }]) => ({
      id,
      name: id,
      connector: 'http',
      settings,
      ...(retry === undefined ? {} : { retry }),
    })),
  };
}

async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? (JSON.parse(text) as unknown) : text };
}
