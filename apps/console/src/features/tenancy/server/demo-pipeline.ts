import type { PipelineDraft, SourceSpec } from '@vrsky/contracts/pipeline-spec';

/** What a newcomer finds running: a webhook whose paid orders are reshaped and sent on to the tenant's test receiver. */
export const demoName = 'Orders';

export function demoDraft(source: SourceSpec, receiverUrl: string): PipelineDraft {
  return {
    v: 1,
    source,
    steps: [
      { id: 'reshape', name: 'Reshape order', kind: 'convert', language: 'typescript', source: reshapeSource, sample: JSON.stringify(sampleOrder, null, 2) },
      {
        id: 'paid-only',
        name: 'Only paid orders',
        kind: 'filter',
        language: 'typescript',
        source: paidOnlySource,
        sample: JSON.stringify(sampleReshaped, null, 2),
      },
    ],
    destinations: [
      {
        id: 'request',
        name: 'HTTP request',
        connector: 'http',
        settings: { url: receiverUrl, method: 'POST', headers: [], timeoutMs: 10_000 },
        retry: { attempts: 6, initialMs: 1_000, maxMs: 60_000 },
      },
    ],
  };
}

const reshapeSource = `import { defineConvert } from '@vrsky/sdk';

interface Order {
  id: string;
  status: string;
  customer: { name: string; email: string };
  items: { sku: string; quantity: number; price: number }[];
}

/** What this returns is what the next step gets. */
export default defineConvert((msg) => {
  const order = msg.json<Order>();
  const total = order.items.reduce((sum, item) => sum + item.quantity * item.price, 0);
  return {
    orderId: order.id,
    status: order.status,
    customer: order.customer.name,
    email: order.customer.email.toLowerCase(),
    lines: order.items.length,
    total: Math.round(total * 100) / 100,
  };
});
`;

const paidOnlySource = `import { defineFilter } from '@vrsky/sdk';

/** Return true to keep a message; a text says why it is dropped. */
export default defineFilter((msg) => {
  const { status } = msg.json<{ status: string }>();
  return status === 'paid' || \`status is \${status}, not paid\`;
});
`;

export const sampleOrder = {
  id: 'A-1042',
  status: 'paid',
  customer: { name: 'Ada Lovelace', email: 'Ada@Example.com' },
  items: [
    { sku: 'pen', quantity: 2, price: 1.5 },
    { sku: 'notebook', quantity: 1, price: 12.9 },
  ],
};

const sampleReshaped = { orderId: 'A-1042', status: 'paid', customer: 'Ada Lovelace', email: 'ada@example.com', lines: 2, total: 15.9 };
