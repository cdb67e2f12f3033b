// The store's API, held to its own description: @seriousme/openapi-schema-validator judges the document, ajv
// (description.mjs) the examples in it, each answer to requests of every kind made here, and all answers that other
// tests have recorded.
//
//   node api.mjs SANDBOX RECORD READER    a line of RECORD: { method, path, status, body }; READER: a token that has
//                                         orders:read alone
import { Validator } from '@seriousme/openapi-schema-validator';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe } from './description.mjs';
import { done, is, ok, refused, tally } from './tap.mjs';

const [sandboxFolder, record, reader] = process.argv.slice(2);
const sandbox = JSON.parse(readFileSync(`${sandboxFolder}/sandbox.json`));
const base = sandbox.merchant_api_url;
const document = await (await fetch(`${base}/openapi.json`)).json();

await ok('the document is valid OpenAPI 3.1, and the one in the tree', async () => {
  is(document, JSON.parse(readFileSync(`${process.env.SETPAY_TREE}/merchant/store/api/openapi.json`)), 'document');
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  is([valid, errors], [true, undefined]);
  is(document.openapi, '3.1.0');
});

const { resolve, conforms, judge, seen } = describe(document);
await ok('every example in the document is what its schema says', () => {
  let count = 0;
  const walk = (at, where) => {
    if (at === null || typeof at !== 'object') return;
    if (at.schema && at.examples)
      for (const [name, { value }] of Object.entries(at.examples)) {
        conforms(at.schema, value, `${where}, example ${name}`);
        count++;
      }
    for (const [name, value] of Object.entries(at)) walk(value, `${where}/${name}`);
  };
  walk(document, '');
  is(count >= 8, true, `${count} examples`);
});

// ------------------------------------------------------------------ requests of every kind
let answers = 0;
async function call(method, path, { body, token = sandbox.merchant_api_token, key, match, type = 'application/json' } = {}) {
  const headers = match === undefined ? {} : { 'If-Match': match };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === 'POST' && key !== null) headers['Idempotency-Key'] = key ?? randomBytes(8).toString('hex');
  if (body !== undefined) headers['Content-Type'] = type;
  const answer = await fetch(`${base}${path}`, {
    method,
    headers,
    body: typeof body === 'object' ? JSON.stringify(body) : body,
  });
  const { status } = answer;
  const text = await answer.text();
  const shown = { method, path, status, body: text === '' ? null : JSON.parse(text), type: answer.headers.get('content-type'), headers: answer.headers };
  judge(shown);
  answers++;
  return shown;
}
const order = { description: 'One book', amount: 1250, currency: 'EUR' };
const problems = new Set();
const expect = async (status, problem, ...request) => {
  const answer = await call(...request);
  const type = String(answer.body?.type ?? '');
  is([answer.status, type.startsWith('urn:') ? type : null], [status, problem && `urn:setpay:problem:${problem}`], request.join(' '));
  if (problem) problems.add(problem);
  return answer;
};

await ok('orders are made, repeated, listed, shown and cancelled as described', async () => {
  const key = randomBytes(8).toString('hex');
  const made = await expect(201, null, 'POST', '/orders', { body: order, key });
  is(made.headers.get('location'), `/api/v1/orders/${made.body.order_id}`, 'Location');
  const again = await expect(201, null, 'POST', '/orders', { body: order, key });
  is([again.headers.get('idempotent-replayed'), again.body], ['true', made.body]);
  await expect(422, 'idempotency-key-reused', 'POST', '/orders', { body: { ...order, amount: 1 }, key });
  for (const { value } of Object.values(
    document.paths['/orders'].post.requestBody.content['application/json'].examples,
  ))
    await expect(201, null, 'POST', '/orders', { body: value });
  const { body: page } = await expect(200, null, 'GET', '/orders?limit=2');
  is([page.orders.length, page.has_more], [2, true]);
  await expect(200, null, 'GET', `/orders?limit=2&cursor=${page.next_cursor}&status=open`);
  await expect(200, null, 'GET', `/orders/${made.body.order_id}`);
  await expect(409, 'order-state', 'POST', `/orders/${made.body.order_id}/void`, { body: {} });
  await expect(200, null, 'POST', `/orders/${made.body.order_id}/cancel`, { body: {} });
  await expect(200, null, 'POST', `/orders/${made.body.order_id}/cancel`); // done is done
});
await ok('more than is held is not captured, and what is not there not undone', async () => {
  const { body: page } = await expect(200, null, 'GET', '/orders?status=authorised&limit=1');
  const [{ order_id: id, amount }] = page.orders;
  await expect(409, 'amount', 'POST', `/orders/${id}/capture`, { body: { amount: amount + 1 } });
  await expect(404, 'no-such-step', 'POST', `/orders/${id}/undo`, { body: { id: '0'.repeat(32) } });
});
await ok('events and webhooks are as described', async () => {
  const { body: events } = await expect(200, null, 'GET', '/events?limit=3');
  is([events.events.length, events.has_more], [3, true]);
  await expect(200, null, 'GET', `/events?cursor=${events.next_cursor}&type=order.created`);
  await expect(200, null, 'GET', `/events/${events.events[0].id}`);
  const url = 'https://shop.invalid/hook';
  const key = randomBytes(8).toString('hex');
  const { body: hook } = await expect(201, null, 'POST', '/webhooks', { body: { url, events: ['order.captured'] }, key });
  is((await expect(201, null, 'POST', '/webhooks', { body: { url, events: ['order.captured'] }, key })).body, hook);
  const path = `/webhooks/${hook.webhook_id}`;
  await expect(200, null, 'GET', path);
  await expect(200, null, 'GET', '/webhooks');
  await expect(202, null, 'POST', `${path}/test`, { body: {} });
  await expect(200, null, 'POST', `${path}/rotate`, { body: {} });
  const { body: log } = await expect(200, null, 'GET', `${path}/deliveries?limit=1`);
  const again = `${path}/deliveries/${log.deliveries[0].delivery_id}/redeliver`;
  await expect(202, null, 'POST', again, { body: {} });
  await expect(200, null, 'PATCH', path, { body: { enabled: false, description: 'off' } });
  await expect(409, 'webhook-state', 'POST', again, { body: {} });
  await expect(422, 'invalid-field', 'PATCH', path, { body: { url: 'ftp://a.example/' } });
  const made = [];
  for (let { status, body } = await call('POST', '/webhooks', { body: { url } }); status === 201; )
    made.push(body.webhook_id), ({ status, body } = await call('POST', '/webhooks', { body: { url } }));
  await expect(409, 'too-many', 'POST', '/webhooks', { body: { url } });
  for (const id of [hook.webhook_id, ...made]) await expect(204, null, 'DELETE', `/webhooks/${id}`);
  await expect(404, 'not-found', 'GET', path);
  await expect(403, 'scope', 'GET', '/events', { token: reader });
  await expect(200, null, 'GET', '/orders', { token: reader });
});
await ok('the catalogue, its stock, shipping and taxes are as described', async () => {
  const name = `a${randomBytes(6).toString('hex')}`; // of this run's own
  const sku = name.toUpperCase();
  const category = { slug: name, name: 'Cups' };
  await expect(201, null, 'POST', '/categories', { body: category });
  await expect(409, 'exists', 'POST', '/categories', { body: category });
  await expect(200, null, 'GET', '/categories');
  await expect(200, null, 'GET', `/categories/${name}`);
  await expect(428, 'version-needed', 'PATCH', `/categories/${name}`, { body: { name: 'Mugs' } });
  await expect(200, null, 'PATCH', `/categories/${name}`, { body: { name: 'Mugs' }, match: '"1"' });
  await expect(412, 'version', 'PATCH', `/categories/${name}`, { body: { name: 'Cups' }, match: '"1"' });

  const product = {
    slug: name,
    name: 'Cup',
    status: 'published',
    categories: [name],
    variants: [{ sku, prices: { EUR: 900 }, stock: { on_hand: 2 } }],
  };
  const made = await expect(201, null, 'POST', '/products', { body: product });
  is(made.headers.get('etag'), '"1"', 'ETag');
  await expect(409, 'exists', 'POST', '/products', { body: product });
  await expect(200, null, 'GET', '/products?limit=2&q=cup');
  await expect(200, null, 'GET', `/products/${made.body.id}`);
  await expect(428, 'version-needed', 'PATCH', `/products/${name}`, { body: { name: 'Mug' } });
  await expect(412, 'version', 'PATCH', `/products/${name}`, { body: { name: 'Mug' }, match: '"7"' });
  await expect(200, null, 'PATCH', `/products/${name}`, { body: { name: 'Mug' }, match: '"1"' });
  await expect(201, null, 'POST', `/products/${name}/variants`, {
    body: { sku: `${sku}-L`, options: { size: 'L' }, prices: { EUR: 1100 }, stock: { on_hand: 1 } },
  });
  await expect(200, null, 'GET', `/products/${name}/variants`);
  await expect(200, null, 'PATCH', `/products/${name}/variants/${sku}-L`, { body: { prices: { EUR: 1200 } }, match: '*' });
  const merged = { body: { prices: { EUR: null, USD: 1300 }, options: { colour: 'moss' } }, match: '*' };
  const { body: changed } = await expect(200, null, 'PATCH', `/products/${name}/variants/${sku}-L`, merged);
  is(changed.variants[1].prices, { USD: 1300 }, 'prices');
  is(changed.variants[1].options, { size: 'L', colour: 'moss' }, 'options');
  const none = { body: { prices: { USD: null } }, match: '*' };
  await expect(422, 'invalid-field', 'PATCH', `/products/${name}/variants/${sku}-L`, none);
  await expect(200, null, 'PATCH', `/products/${name}/variants/${sku}-L`, { body: { prices: { EUR: 1200 } }, match: '*' });
  await expect(200, null, 'GET', `/products/${name}/pictures`);
  await expect(404, 'not-found', 'GET', `/products/${name}/pictures/7`);

  // Both are held by the first order; the third is not there.
  const cups = { items: [{ sku, quantity: 2 }], currency: 'EUR' };
  const { body: held } = await expect(201, null, 'POST', '/orders', { body: cups });
  const { body: refusal } = await expect(409, 'out-of-stock', 'POST', '/orders', { body: cups });
  is([refusal.sku, refusal.available], [sku, 0]);
  await expect(200, null, 'GET', '/stock');
  is((await expect(200, null, 'GET', `/stock/${sku}`)).body.reserved, 2);
  await expect(409, 'in-use', 'POST', `/stock/${sku}/adjust`, { body: { on_hand: 1, reason: 'broken' } });
  await expect(409, 'in-use', 'DELETE', `/products/${name}`, { match: '*' });
  await expect(200, null, 'POST', `/orders/${held.order_id}/cancel`, { body: {} });
  await expect(200, null, 'POST', `/stock/${sku}/adjust`, { body: { change: -1, reason: 'broken' } });
  await expect(200, null, 'DELETE', `/products/${name}/variants/${sku}-L`, { match: '*' });
  await expect(204, null, 'DELETE', `/products/${name}`, { match: '*' });
  await expect(404, 'not-found', 'GET', `/products/${name}`);
  await expect(204, null, 'DELETE', `/categories/${name}`, { match: '"2"' });

  for (const path of ['/shipping-methods', '/tax-rates']) {
    const { schema, examples } = document.paths[path].post.requestBody.content['application/json'];
    const [{ value }] = Object.values(examples);
    conforms(schema, value, path);
    const { status, body, headers } = await call('POST', path, { body: value });
    await expect(200, null, 'GET', path);
    if (status !== 201) {
      is([status, body.type], [409, 'urn:setpay:problem:exists'], path);
      continue;
    }
    const one = `${path}/${body.id ?? headers.get('location').split('/').pop()}`;
    const tag = (await expect(200, null, 'GET', one)).headers.get('etag');
    await expect(428, 'version-needed', 'DELETE', one);
    await expect(204, null, 'DELETE', one, { match: tag });
  }
});
await ok('what is refused is refused as described', async () => {
  await expect(401, 'unauthorised', 'GET', '/orders', { token: null });
  await expect(401, 'unauthorised', 'POST', '/orders', { body: order, token: 'spm_no' });
  await expect(400, 'idempotency-key', 'POST', '/orders', { body: order, key: null });
  await expect(400, 'not-json', 'POST', '/orders', { body: '{"description":' });
  await expect(400, 'invalid-query', 'GET', '/orders?limit=0');
  await expect(404, 'no-such-order', 'GET', '/orders/ord_00000000000000000000');
  await expect(404, 'no-such-order', 'POST', '/orders/ord_00000000000000000000/cancel', { body: {} });
  await expect(415, 'content-type', 'POST', '/orders', { body: 'a=b', type: 'text/csv' });
  await expect(422, 'invalid-field', 'POST', '/orders', { body: { ...order, amount: 0 } });
  await expect(422, 'unknown-sku', 'POST', '/orders', { body: { items: [{ sku: 'none', quantity: 1 }], currency: 'EUR' } });
  is((await call('DELETE', '/orders')).status, 405);
  is((await call('GET', '/nowhere')).status, 404);
});
await ok('every answer that other tests got here is as described', () => {
  for (const line of readFileSync(record, 'utf8').trim().split('\n')) {
    const answer = JSON.parse(line);
    judge({ ...answer, status: Number(answer.status) });
    answers++;
  }
});
await ok('every kind of problem but those of a daemon in need has been seen', () => {
  const named = document.components.schemas.Problem.properties.type.enum
    .map((type) => /^urn:setpay:problem:(.*)/.exec(type)?.[1])
    // Nor those of an agreement whose days have to pass: tests/integration/agreements.sh.
    .filter(
      (type) =>
        type &&
        !['busy', 'internal', 'request-under-way', 'refused-by-gateway', 'declined', 'too-soon'].includes(type),
    );
  is(named.filter((type) => !problems.has(type)), []);
});
await ok('what the document does not have would be noticed', () => {
  const path = '/orders/x';
  const good = resolve(document.paths['/orders/{id}'].get.responses['200']).content['application/json'].examples.paid.value;
  judge({ method: 'GET', path, status: 200, body: good });
  refused(() => judge({ method: 'GET', path, status: 200, body: { ...good, pan: '4242' } }), 'another member');
  refused(() => judge({ method: 'GET', path, status: 200, body: { ...good, status: 'paid' } }), 'another status');
  refused(() => judge({ method: 'GET', path, status: 418, body: good }), 'another code');
  refused(() => judge({ method: 'GET', path, status: 200, body: good, type: 'text/html' }), 'another type');
});
tally("answers of the store's API held to its description", answers);
console.log(`# ${[...seen].sort().join(', ')}`);
done();
