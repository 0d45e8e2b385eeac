import { defineFilter } from '@vrsky/sdk';

interface Order {
  status: string;
  items: { quantity: number }[];
}

/** Lets paid orders pass that have something in them. */
export default defineFilter((msg, ctx) => {
  const order = msg.json<Order>();
  ctx.log('status', order.status);
  if (order.status !== 'paid') return 'not paid yet';
  return order.items.some((item) => item.quantity > 0) || 'nothing in it';
});
