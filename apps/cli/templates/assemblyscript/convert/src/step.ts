import { defineConvert, JsonObject, json } from '@vrsky/sdk';

/** Makes of a paid order what the ledger takes; others go no further. */
export default defineConvert((msg, ctx) => {
  const order = msg.json();
  if (order.str('status') != 'paid') return ctx.filter('not paid yet');
  const items = order.get('items');
  let total: f64 = 0;
  for (let i = 0; i < items.length; i++) {
    const item = items.at(i);
    total += item.num('quantity') * item.num('price');
  }
  ctx.log('total', total);
  const line = new JsonObject();
  line.set('id', order.str('id'));
  line.set('email', order.get('customer').str('email').toLowerCase());
  line.set('total', total);
  return json(line);
});
