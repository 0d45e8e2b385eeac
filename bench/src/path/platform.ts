import { eventually } from '@vrsky/testkit/eventually';
import type { Stack } from '../../../tools/up/stack.ts';

export const oneStep = `import type { Message } from '@vrsky/sdk';

export default function convert(message: Message) {
  const order = message.json();
  return {
    sentAt: order.sentAt,
    orderId: order.id,
    customer: \`\${order.customer.first} \${order.customer.last}\`,
    total: order.lines.reduce((sum: number, line: { quantity: number; price: number }) => sum + line.quantity * line.price, 0),
    lines: order.lines,
    note: order.note,
  };
}
`;

/** Makes and publishes a pipeline over the REST API, waits until the node runs it, and answers with its URL. */
export async function publishPipeline(stack: Stack, options: { name: string; target: string; step?: string }): Promise<string> {
  const call = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${stack.dev.console}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.dev.apiKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const destination = {
    id: 'http-out',
    name: 'HTTP request',
    connector: 'http',
    settings: { url: options.target, method: 'POST', headers: [], timeoutMs: 10_000 },
    retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
  };
  const steps = options.step === undefined ? [] : [{ id: 'convert', name: 'Convert', kind: 'convert', language: 'typescript', source: options.step }];
  const pipeline = await call('POST', '/pipelines', { name: options.name, draft: { steps, destinations: [destination] } });
  await call('POST', `/pipelines/${pipeline['id']}/publish`);
  await eventually(async () => {
    const { state, rollout } = await call('GET', `/pipelines/${pipeline['id']}`);
    if (state !== 'running') throw new Error(`the pipeline is ${state}: ${JSON.stringify(rollout)}`);
  });
  return String(pipeline['ingestUrl']);
}
