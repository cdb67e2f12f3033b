// store.mjs sells: a small store that knows the API, its OpenAPI document and the webhooks' library, with a real wallet
// as its shopper. Every answer and every event is held to the document (description.mjs).
//
//   node selling.mjs SANDBOX BIN TOKEN FOLDER    TOKEN has orders:read, orders:write, payments:write, refunds:write,
//                                                products:read, events:read, webhooks:read and webhooks:write; FOLDER is
//                                                the store's
import { Webhook } from 'standardwebhooks';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { describe } from './description.mjs';
import { Api, Refusal, Store } from './store.mjs';
import { done, is, ok, tally } from './tap.mjs';

const [sandboxFolder, bin, token, folder] = process.argv.slice(2);
const sandbox = JSON.parse(readFileSync(`${sandboxFolder}/sandbox.json`));
const base = sandbox.merchant_api_url;
const document = await (await fetch(`${base}/openapi.json`)).json();
const { conforms, judge, seen } = describe(document);
const types = document.components.schemas.EventType.enum;

let answers = 0;
const wrong = []; // answers and events that are not as described
const hold = (check) => {
  answers++;
  try {
    check();
  } catch (error) {
    wrong.push(error.message.slice(0, 1000));
  }
};
const api = await Api.open(base, token, (answer) => hold(() => judge(answer)));
function open() {
  const made = new Store(api, folder);
  for (const type of [...types, 'again'])
    made.on(type, (event) => hold(() => conforms({ $ref: '#/components/schemas/Event' }, event, `event ${type}`)));
  return made;
}
const run = promisify(execFile);
async function pay(uri, ...more) {
  const words = ['--socket', sandbox.wallet_socket, '--json', 'pay', uri, '--yes', ...more];
  return JSON.parse((await run(`${bin}/setpay-wallet`, words)).stdout);
}
// What is refused, by the type of its problem.
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
const journal = () =>
  readFileSync(`${folder}/events.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line));
const typesOf = (id) => journal().filter(({ data }) => data.order_id === id).map(({ type }) => type).sort();

let store = open();
let port, hook;
await ok('the store listens, and has events sent to it', async () => {
  port = await store.listen();
  hook = await store.subscribe(`http://127.0.0.1:${port}/setpay`);
  is(await store.subscribe(`http://127.0.0.1:${port}/setpay`), hook, 'the webhook, once more');
  is(statSync(`${folder}/webhook.json`).mode & 0o777, 0o600, 'mode of the file with the secret');
});

// ------------------------------------------------------------------ by amount
const wanted = { description: 'Zwei Teekannen, größer', amount: 9980, currency: 'EUR', capture: 'manual' };
let order;
await ok('an order by amount; wanted twice, it is one', async () => {
  order = await store.sell('basket-1', wanted);
  is([order.status, order.amount, order.currency, order.metadata], ['open', 9980, 'EUR', { basket: 'basket-1' }]);
  const body = { ...wanted, metadata: { basket: 'basket-1' } };
  const again = await api.call('createOrder', { body, key: 'sell-basket-1' });
  is([again.status, again.replayed, again.body], [201, true, order]);
  await store.until(order.order_id, 'order.created');
});
await ok('an answer that is lost on the way is asked for again, and there is one order', async () => {
  let lost = 0;
  const line = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { method, headers } = request;
    const { authorization = '', 'idempotency-key': key = '' } = headers;
    const got = await fetch(new URL(request.url, base), {
      method,
      headers: { authorization, 'idempotency-key': key, 'content-type': 'application/json' },
      body: method === 'POST' ? Buffer.concat(parts) : undefined,
    });
    // The first answer is lost, a proxy has something else to say instead of the second.
    if (method === 'POST' && lost++ === 0) return request.socket.destroy();
    if (method === 'POST' && lost === 2) return response.writeHead(502, { 'Content-Type': 'text/html' }).end('<p>502');
    response.writeHead(got.status, Object.fromEntries(got.headers)).end(await got.text());
  });
  line.listen(0, '127.0.0.1');
  await once(line, 'listening');
  const shaky = await Api.open(`http://127.0.0.1:${line.address().port}/api/v1`, token);
  const body = { description: 'One lamp', amount: 4900, currency: 'EUR' };
  const { status, replayed, body: lamp } = await shaky.call('createOrder', { body, key: 'lamp' });
  line.close();
  line.closeAllConnections();
  is([status, replayed, lost], [201, true, 3]);
  const found = [];
  for await (const one of api.each('listOrders', 'orders')) if (one.amount === 4900) found.push(one.order_id);
  is(found, [lamp.order_id]);
});
await ok('the same key with another body is refused, and makes nothing', async () => {
  const other = await refusal(store.sell('basket-1', { ...wanted, amount: 998 }));
  is([other.status, other.type], [422, 'idempotency-key-reused']);
  for await (const one of api.each('listOrders', 'orders')) is(one.amount === 998, false, 'an order of 9.98');
});
await ok('its page shows the link, to a shopper who is sent there', async () => {
  const page = await fetch(order.checkout_url);
  is([page.status, (await page.text()).includes(`href="${order.pay_uri}"`)], [200, true]);
});
await ok('the wallet pays by its link, and the store hears of it', async () => {
  is((await pay(order.pay_uri)).status, 'authorised');
  const { data } = await store.until(order.order_id, 'order.authorised');
  is([data.status, data.payment.approved_amount, data.pay_uri], ['authorised', 9980, undefined]);
  is(store.orders.get(order.order_id).status, 'authorised');
});
await ok('the money is taken in two parts; one that is asked for twice is taken once', async () => {
  await store.capture(order.order_id, 1, 4990);
  await store.capture(order.order_id, 1, 4990);
  is((await store.until(order.order_id, 'order.partially_captured')).data.payment.captured_amount, 4990);
  const more = await refusal(store.capture(order.order_id, 'too-much', 4991));
  is([more.status, more.type], [409, 'amount']);
  await store.capture(order.order_id, 2, 4990);
  is((await store.until(order.order_id, 'order.captured')).data.payment.captured_amount, 9980);
});
await ok('a part is given back', async () => {
  await store.refund(order.order_id, 1, { amount: 1500 });
  is((await store.until(order.order_id, 'order.partially_refunded')).data.payment.refunded_amount, 1500);
  const { status, captures, refunds } = await store.show(order.order_id);
  is([status, captures.map((one) => [one.status, one.amount]), refunds.map((one) => [one.status, one.amount])], [
    'partially_refunded',
    [['done', 4990], ['done', 4990]],
    [['done', 1500]],
  ]);
  is((await refusal(store.refund(order.order_id, 2, { amount: 8481 }))).type, 'amount');
});

// ------------------------------------------------------------------ by the catalogue
let parcel;
const stockOf = async (id) => (await api.call('getStock', { path: { id } })).body;
await ok('an order of the catalogue costs what the catalogue says', async () => {
  const prices = {};
  for await (const product of api.each('listProducts', 'products', { limit: 7 }))
    for (const { sku, prices: { EUR } } of product.variants) prices[sku] = EUR;
  const { body: methods } = await api.call('listShippingMethods');
  const items = [{ sku: 'CP-SLATE', quantity: 3 }, { sku: 'TP-SAND', quantity: 1 }];
  const before = (await stockOf('CP-SLATE')).reserved;
  parcel = await store.sell('basket-2', { items, country: 'DE', shipping_method: 'parcel' });
  is(parcel.items.slice(0, 2).map(({ sku, total }) => [sku, total]), [
    ['CP-SLATE', 3 * prices['CP-SLATE']],
    ['TP-SAND', prices['TP-SAND']],
  ]);
  is(parcel.amount, 3 * prices['CP-SLATE'] + prices['TP-SAND'] + parcel.shipping.amount, 'amount');
  is(methods.shipping_methods.some(({ slug }) => slug === parcel.shipping.method), true, 'a known way of shipping');
  is((await stockOf('CP-SLATE')).reserved, before + 3, 'reserved');
});
await ok('it is paid, and sent in two parts, each of which takes what it costs', async () => {
  is((await pay(parcel.pay_uri)).status, 'authorised');
  await store.until(parcel.order_id, 'order.authorised');
  await store.ship(parcel.order_id, 1, [{ sku: 'CP-SLATE', quantity: 2 }], 'RR 1');
  const { data } = await store.until(parcel.order_id, 'order.partially_captured');
  is(data.payment.captured_amount, 2 * parcel.items[0].unit_amount + parcel.shipping.amount);
  await store.ship(parcel.order_id, 2);
  is((await store.until(parcel.order_id, 'order.captured')).data.payment.captured_amount, parcel.amount);
  await store.until(parcel.order_id, 'order.shipped', 2);
  const shown = await store.show(parcel.order_id);
  is(shown.shipments.map((one) => [one.status, one.tracking, one.lines.map(({ sku, quantity }) => [sku, quantity])]), [
    ['done', 'RR 1', [['CP-SLATE', 2]]],
    ['done', null, [['CP-SLATE', 1], ['TP-SAND', 1]]],
  ]);
});
await ok('one piece comes back, into the stock too', async () => {
  const { on_hand } = await stockOf('CP-SLATE');
  await store.refund(parcel.order_id, 1, { lines: [{ sku: 'CP-SLATE', quantity: 1 }], restock: true });
  const { data } = await store.until(parcel.order_id, 'order.partially_refunded');
  is(data.payment.refunded_amount, parcel.items[0].unit_amount);
  is((await stockOf('CP-SLATE')).on_hand, on_hand + 1);
});
await ok('another order is cancelled, and can be paid no more', async () => {
  const given = await store.sell('basket-3', { items: [{ sku: 'CP-SLATE', quantity: 1 }], country: 'DE' });
  const { reserved } = await stockOf('CP-SLATE');
  is((await store.cancel(given.order_id)).status, 'cancelled');
  is((await store.until(given.order_id, 'order.cancelled')).data.status, 'cancelled');
  is((await stockOf('CP-SLATE')).reserved, reserved - 1, 'reserved');
  let said;
  await pay(given.pay_uri).catch((error) => (said = error));
  is([said?.code, JSON.parse(said?.stdout).error.name], [1, 'ORDER_ENDED'], 'what the wallet says');
  is(typesOf(given.order_id), ['order.cancelled', 'order.created']);
});

await ok('a subscription: its events say what was agreed', async () => {
  const end = new Date(Date.now() + 100 * 86_400_000).toISOString().slice(0, 10);
  const terms = { kind: 'recurring', count: 3, interval_days: 28, each: 999, end };
  const first = { description: 'One month', amount: 999, currency: 'EUR', capture: 'immediate' };
  const month = await store.sell('basket-month', { ...first, terms });
  is((await pay(month.pay_uri, '--agree-terms')).status, 'captured');
  const { terms: agreed } = (await store.until(month.order_id, 'order.captured')).data;
  is([agreed.kind, agreed.count, agreed.each], ['recurring', 3, 999]);
  await store.refund(month.order_id, 1, { amount: 99 });
  const { agreement } = (await store.until(month.order_id, 'order.partially_refunded')).data;
  is([agreement.status, agreement.payments, agreement.taken_amount], ['active', 1, 999]);
});

// ------------------------------------------------------------------ pages
await ok('a list is walked page by page: all of it, nothing twice', async () => {
  const candle = { description: 'A candle', amount: 100, currency: 'EUR' };
  for (let i = 4; i < 9; i++) await store.sell(`basket-${i}`, candle);
  const ids = async (limit) => {
    const all = [];
    for await (const one of api.each('listOrders', 'orders', { limit })) all.push(one.order_id);
    return all;
  };
  const small = await ids(2);
  is(new Set(small).size, small.length, 'orders, each once');
  is(small, await ids(100));
  for (const id of [order.order_id, parcel.order_id]) is(small.includes(id), true, `${id} in the list`);
  const bad = await refusal(api.call('listOrders', { query: { cursor: 'none' } }));
  is([bad.status, bad.type], [400, 'invalid-query']);
});

// ------------------------------------------------------------------ forgeries, repeats, gaps
// Sends what a forger would, and gives the status.
async function deliver(body, headers) {
  const { status } = await fetch(`http://127.0.0.1:${port}/setpay`, { method: 'POST', body, headers });
  return status;
}
await ok('what is not signed with the secret is refused, and changes nothing', async () => {
  const { secret } = JSON.parse(readFileSync(`${folder}/webhook.json`));
  const { timestamp, data } = await store.until(order.order_id, 'order.authorised');
  const of = { ...data, order_id: 'ord_forged' };
  const forged = JSON.stringify({ id: 'evt_forged', type: 'order.authorised', timestamp, data: of });
  const sign = (by, at, body) => ({
    'webhook-id': 'evt_forged',
    'webhook-timestamp': String(Math.floor(at / 1000)),
    'webhook-signature': new Webhook(by).sign('evt_forged', new Date(at), body),
  });
  const taken = journal().length;
  let refused = 0;
  store.on('refused', () => refused++);
  const now = Date.now();
  is(await deliver(forged, sign(`whsec_${Buffer.alloc(32).toString('base64')}`, now, forged)), 401, 'another secret');
  is(await deliver(forged, sign(secret, now, forged.replace('authorised', 'created'))), 401, 'another body');
  is(await deliver(forged, sign(secret, now - 301_000, forged)), 401, 'five minutes ago');
  is(await deliver(forged, {}), 401, 'no signature');
  is([refused, journal().length, store.events.has('evt_forged')], [4, taken, false]);
  is(await deliver(forged, sign(secret, now, forged)), 204, 'and with everything right');
  is(store.events.has('evt_forged'), true);
});
const deliveryOf = async (id) => {
  for (let cursor = {}; cursor; ) {
    const { body } = await api.call('listDeliveries', { path: { id: hook }, query: { limit: 5, ...cursor } });
    const found = body.deliveries.find((one) => one.event_id === id);
    if (found) return found;
    cursor = body.has_more && { cursor: body.next_cursor };
  }
  throw new Error(`no delivery of ${id}`);
};
// The event when it comes again.
async function again({ id }) {
  const signal = AbortSignal.timeout(20000);
  for (;;) {
    const [event] = await once(store, 'again', { signal });
    if (event.id === id) return event;
  }
}
// Has an event sent again by hand, and waits until it is there.
async function redeliver(event, key) {
  const { delivery_id: delivery } = await deliveryOf(event.id);
  const comes = again(event);
  is((await api.call('redeliver', { path: { id: hook, delivery }, key })).status, 202);
  return comes;
}
await ok('a redelivery by hand has the same id, and is taken once', async () => {
  const event = await store.until(order.order_id, 'order.captured');
  const [taken, status] = [journal().length, store.orders.get(order.order_id)];
  is(await redeliver(event, 'again-1'), event);
  is([journal().length, store.orders.get(order.order_id)], [taken, status]);
});
await ok('also by a store that was stopped in between, while it wrote', async () => {
  const [orders, events] = [store.orders, store.events];
  await store.close();
  appendFileSync(`${folder}/events.jsonl`, '{"id":"evt_cut');
  store = open();
  is([store.orders, store.events], [orders, events], 'what it knows');
  await store.listen(port);
  const event = await store.until(order.order_id, 'order.partially_refunded');
  is(await redeliver(event, 'again-2'), event);
});
await ok('what it missed it reads from the list; what the webhook still brings is not taken again', async () => {
  await store.catchUp(); // from the oldest on: what others had in this sandbox, too
  await store.close();
  store = open();
  const missed = await store.sell('basket-9', { description: 'While nobody listens', amount: 700, currency: 'EUR' });
  const taken = journal().length;
  await store.catchUp();
  is(journal().slice(taken).map(({ type, data }) => [type, data.order_id]), [['order.created', missed.order_id]]);
  const event = await store.until(missed.order_id, 'order.created');
  const comes = again(event);
  await store.listen(port);
  is(await comes, event);
  is(journal().length, taken + 1);
});
await ok('each event was taken once, and those of a sale are all there', () => {
  const ids = journal().map(({ id }) => id);
  is(new Set(ids).size, ids.length);
  const all = ['authorised', 'captured', 'created', 'partially_captured', 'partially_refunded', 'paying'];
  is(typesOf(order.order_id), all.map((type) => `order.${type}`));
});
await ok('every answer and every event is as the document says', () => is(wrong, []));
await ok('an operation that the document does not have is none', async () => {
  let said;
  await api.call('stealOrder', { key: 'x' }).catch((error) => (said = error.message));
  is(said, 'the API has no operation stealOrder');
});
await store.close();
tally("answers of the store's API held to its description", answers);
console.log(`# ${[...seen].sort().join(', ')}`);
done();
