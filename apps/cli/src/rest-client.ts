import type { Fixture } from '@vrsky/contracts/pipeline-spec';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

/** The operations of VRSky's REST API v1 that publishing a step takes. Every refusal is a `CliError` with the server's own sentence. */
export interface RestClient {
  listPipelines(): Promise<{ id: string; name: string }[]>;
  getPipeline(id: string): Promise<{ pipeline: Pipeline; etag: string }>;
  putStep(pipelineId: string, stepId: string, step: StepBody, etag: string): Promise<{ problems: Problem[]; etag: string }>;
  /** `problems` are what the draft is refused for. */
  publish(pipelineId: string, etag: string): Promise<{ ok: true; revision: number } | { ok: false; problems: Problem[] }>;
  getRollout(pipelineId: string): Promise<Rollout[]>;
}

export interface StepBody {
  name?: string;
  kind: 'convert' | 'filter';
  language: 'typescript' | 'assemblyscript' | 'wasm';
  source: string;
  fixtures?: Fixture[];
}

const problemSchema = z.object({ path: z.string(), message: z.string(), code: z.array(z.object({ line: z.number(), message: z.string() })).optional() });
const rolloutSchema = z.object({ nodeName: z.string(), state: z.enum(['sent', 'received', 'applied', 'rejected', 'silent']), reason: z.string().nullable() });
const pipelineSchema = z.object({
  id: z.string(),
  name: z.string(),
  ingestUrl: z.string(),
  draft: z.object({ steps: z.array(z.object({ id: z.string(), name: z.string(), kind: z.string() })) }),
});
const pageSchema = z.object({ items: z.array(z.object({ id: z.string(), name: z.string() })), nextCursor: z.string().nullable() });
const savedSchema = z.object({ problems: z.array(problemSchema) });
const refusalSchema = z.object({ detail: z.string(), code: z.string(), requestId: z.string(), errors: z.array(problemSchema).optional() });

export type Problem = z.infer<typeof problemSchema>;
export type Rollout = z.infer<typeof rolloutSchema>;
export type Pipeline = z.infer<typeof pipelineSchema>;

/** Longest wait for one answer; saving a draft compiles its steps. */
const ANSWER_MS_MAX = 60_000;

export function createRestClient({ url, apiKey }: { url: string; apiKey: string }): RestClient {
  const base = apiBase(url);

  async function call(method: string, path: string, options: { body?: unknown; etag?: string } = {}): Promise<Answer> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(options.etag === undefined ? {} : { 'if-match': options.etag }),
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      text = await response.text();
    } catch (cause) {
      throw new CliError('refused', `${base} does not answer (${reasonOf(cause)}): is VRSky running, and is the URL right?`, [], { cause });
    }
    return { status: response.status, etag: response.headers.get('etag') ?? '', body: parseAnswer(text) };
  }

  async function expect<T>(
    schema: z.ZodType<T>,
    method: string,
    path: string,
    options: { body?: unknown; etag?: string } = {},
  ): Promise<{ body: T; etag: string }> {
    const answer = await call(method, path, options);
    if (answer.status >= 300) throw refusal(answer);
    const parsed = schema.safeParse(answer.body);
    if (!parsed.success) throw notOurs(parsed.error);
    return { body: parsed.data, etag: answer.etag };
  }

  const refusal = (answer: Answer): CliError => {
    const parsed = refusalSchema.safeParse(answer.body);
    if (!parsed.success) return notOurs(undefined, answer.status);
    const { detail, errors = [] } = parsed.data;
    const hint = answer.status === 401 ? ' Set VRSKY_API_KEY to a key from the console, under API keys.' : '';
    return new CliError('refused', `${detail}${hint}`, errors.map(describeProblem));
  };
  const notOurs = (cause: unknown, status?: number): CliError =>
    new CliError('refused', `${base} does not answer as VRSky does${status === undefined ? '' : ` (status ${status})`}: is the URL that of the console?`, [], {
      cause,
    });

  return {
    async listPipelines() {
      const all: { id: string; name: string }[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { body }: { body: z.infer<typeof pageSchema> } = await expect(
          pageSchema,
          'GET',
          `/pipelines?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
        );
        all.push(...body.items);
        cursor = body.nextCursor;
      }
      return all;
    },
    async getPipeline(id) {
      const { body, etag } = await expect(pipelineSchema, 'GET', `/pipelines/${encodeURIComponent(id)}`);
      return { pipeline: body, etag };
    },
    async putStep(pipelineId, stepId, step, etag) {
      const path = `/pipelines/${encodeURIComponent(pipelineId)}/steps/${encodeURIComponent(stepId)}`;
      const saved = await expect(savedSchema, 'PUT', path, { body: step, etag });
      return { problems: saved.body.problems, etag: saved.etag };
    },
    async publish(pipelineId, etag) {
      const answer = await call('POST', `/pipelines/${encodeURIComponent(pipelineId)}/publish`, { etag });
      const parsed = refusalSchema.safeParse(answer.body);
      if (parsed.success && parsed.data.code === 'PIPELINE.NOT_PUBLISHABLE') return { ok: false, problems: parsed.data.errors ?? [] };
      if (answer.status >= 300) throw refusal(answer);
      return { ok: true, revision: z.object({ revision: z.number() }).parse(answer.body).revision };
    },
    async getRollout(pipelineId) {
      const { body } = await expect(z.object({ items: z.array(rolloutSchema) }), 'GET', `/pipelines/${encodeURIComponent(pipelineId)}/rollout`);
      return body.items;
    },
  };
}

interface Answer {
  status: number;
  etag: string;
  body: unknown;
}

/** `https://console.example.com`, with or without `/api/v1`. */
function apiBase(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CliError('usage', `${JSON.stringify(url)} is not a URL: give the console's, such as http://127.0.0.1:4800`);
  }
  const trimmed = url.replace(/\/+$/, '');
  return trimmed.endsWith('/api/v1') ? trimmed : `${trimmed}/api/v1`;
}

export function describeProblem({ path, message, code }: Problem): string {
  const at = path === '' ? '' : `${path}: `;
  return code !== undefined && code.length > 0 ? code.map((item) => `${at}line ${item.line}: ${item.message}`).join('\n') : `${at}${message}`;
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, say: the caller finds that it is no answer of ours
  }
}

/** The innermost reason: fetch wraps it. */
function reasonOf(error: unknown): string {
  const { cause, name } = error as Error;
  const inner = cause as NodeJS.ErrnoException | undefined;
  return name === 'TimeoutError' ? `nothing for ${ANSWER_MS_MAX / 1000} s` : (inner?.code ?? inner?.message ?? (error as Error).message);
}
