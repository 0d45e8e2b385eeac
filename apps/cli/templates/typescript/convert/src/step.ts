import { defineConvert } from '@vrsky/sdk';

interface Order {
  id: string;
  status: string;
  customer: { name: string; email: string };
  items: { sku: string; quantity: number; price: number }[];
}

/** Makes of a paid order what the ledger takes; others go no further. */
export default defineConvert((msg, ctx) => {
  const order = msg.json<Order>();
  if (order.status !== 'paid') return ctx.filter('not paid yet');
  const total = order.items.reduce((sum, item) => sum + item.quantity * item.price, 0);
  ctx.log('total', total);
  return { id: order.id, email: order.customer.email.toLowerCase(), total };
});
