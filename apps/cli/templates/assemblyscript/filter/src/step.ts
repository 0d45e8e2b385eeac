import { defineFilter, pass } from '@vrsky/sdk';

/** Lets paid orders pass that have something in them. */
export default defineFilter((msg, ctx) => {
  const order = msg.json();
  ctx.log('status', order.str('status'));
  if (order.str('status') != 'paid') return ctx.filter('not paid yet');
  const items = order.get('items');
  for (let i = 0; i < items.length; i++) {
    if (items.at(i).num('quantity') > 0) return pass();
  }
  return ctx.filter('nothing in it');
});
