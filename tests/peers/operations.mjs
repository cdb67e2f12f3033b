// Every operation of the store's API is asked rightly, and in each wrong way that its OpenAPI document names a status
// for, and says what the document says. What depends on what has been before (409, and what is done to an order) other
// tests ask for; answers.mjs looks whether somebody has.
//
//   node operations.mjs SANDBOX TOKEN TOKEN    two tokens, of one scope each, and not the same
import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { describe } from './description.mjs';
import { done, is, ok, tally } from './tap.mjs';

const [folder, ...narrow] = process.argv.slice(2);
const sandbox = JSON.parse(readFileSync(`${folder}/sandbox.json`));
const base = sandbox.merchant_api_url;
const document = await (await fetch(`${base}/openapi.json`)).json();
const { judge } = describe(document);
const record = process.env.SETPAY_API_ANSWERS && `${process.env.SETPAY_API_ANSWERS}/operations.${process.pid}.jsonl`;
const json = 'application/json';
let answers = 0;

async function call(method, path, { body, type = json, token = sandbox.merchant_api_token, key = randomBytes(8).toString('hex'), match } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === 'POST' && key) headers['Idempotency-Key'] = key;
  if (match) headers['If-Match'] = match;
  if (body !== undefined) headers['Content-Type'] = type;
  const answer = await fetch(`${base}${path}`, {
    method,
    headers,
    body: body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  const media = answer.headers.get('content-type');
  const text = await answer.text();
  const shown = { method, path, status: answer.status, type: media ?? '', body: /json/.test(media) ? JSON.parse(text) : null };
  if (media && !/json/.test(media)) return { ...shown, headers: answer.headers }; // a picture
  judge({ ...shown, headers: answer.headers });
  if (record) appendFileSync(record, `${JSON.stringify(shown)}\n`);
  answers++;
  return { ...shown, headers: answer.headers };
}
const made = async (...request) => {
  const answer = await call('POST', ...request);
  is([answer.status, answer.body], [201, answer.body], request[0]);
  return answer.body;
};

// ------------------------------------------------------------------ one of each kind
const name = `r${randomBytes(6).toString('hex')}`;
const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>';
let zones;
const one = {}; // what stands for the parameters of each kind of path
await ok('there is one of each kind', async () => {
  const order = await made('/orders', { body: { description: 'One book', amount: 100, currency: 'EUR' } });
  await made('/categories', { body: { slug: name, name: 'Refusals' } });
  await made('/products', {
    body: { slug: name, name: 'Refused', status: 'draft', categories: [name], variants: [{ sku: name.toUpperCase(), prices: { EUR: 100 }, stock: { on_hand: 1 } }] },
  });
  const { pictures } = await made(`/products/${name}/pictures?alt=A+triangle`, { body: svg, type: 'image/svg+xml' });
  zones = [{ countries: ['DE'], currency: 'EUR', by: 'weight', steps: [{ amount: 100 }] }];
  await made('/shipping-methods', { body: { slug: name, name: 'By hand', zones } });
  const rate = await made('/tax-rates', { body: { class: name, country: 'DE', name: 'None', rate_ppm: 0 } });
  const hook = await made('/webhooks', { body: { url: 'https://shop.invalid/hook' } });
  await call('POST', `/webhooks/${hook.webhook_id}/test`, { body: {} });
  const { deliveries } = (await call('GET', `/webhooks/${hook.webhook_id}/deliveries`)).body;
  const { events } = (await call('GET', '/events?limit=1')).body;
  const { settlements } = (await call('GET', '/settlements?limit=1')).body;
  Object.assign(one, {
    orders: [order.order_id],
    products: [name, name.toUpperCase()],
    pictures: [name, pictures.at(-1).id],
    categories: [name],
    stock: [name.toUpperCase()],
    'shipping-methods': [name],
    'tax-rates': [rate.id],
    events: [events[0].id],
    settlements: [settlements[0].settlement_id],
    webhooks: [hook.webhook_id, deliveries[0].delivery_id],
  });
});

// ------------------------------------------------------------------ each wrong way
const fill = (path, things) => {
  let i = 0;
  return path.replace(/\{[^}]*\}/g, () => things[i++]);
};
// {status: what is wrong of a request that would be right}; null: not by this
const wrongs = {
  400: ({ method, path }) => (method === 'POST' ? { key: null } : method === 'PATCH' ? { body: '{' } : { path: `${path}?twice=1&twice=2` }),
  401: () => ({ token: null }),
  403: ({ scope }) => ({ token: narrow.find((_, i) => scopes[i] !== scope) }),
  404: ({ template, things, body }) => ({ body, path: fill(template, things.map((_, i) => (i < things.length - 1 ? things[i] : '0000'))) }),
  412: ({ body }) => ({ body, match: '"999999"' }),
  413: ({ type }) => ({ body: type === json ? { a: 'x'.repeat(140000) } : 'x'.repeat(524289) }),
  415: () => ({ body: 'a=b', type: 'text/csv' }),
  422: ({ type }) => ({ body: type === json ? { nonsense: 1 } : 'x' }),
  428: ({ body }) => ({ body, match: null }),
};
const scopes = await Promise.all(
  narrow.map(async (token) => ((await call('GET', '/orders', { token })).status === 200 ? 'orders:read' : 'other')),
);

// What is asked of an operation that wants to be told what, and leaves a thing as it is found below.
const changes = {
  changeProduct: { name: 'Changed' },
  changeVariant: { prices: { EUR: 200 } },
  changePicture: { alt: 'Another triangle' },
  changeCategory: { name: 'Changed' },
  changeShippingMethod: { name: 'By another hand' },
  changeTaxRate: { name: 'Nothing' },
  changeWebhook: { description: 'changed' },
  undoOrderStep: { id: '0'.repeat(32) },
};
for (const [template, operations] of Object.entries(document.paths))
  for (const [verb, operation] of Object.entries(operations)) {
    const { operationId, responses, security, requestBody } = operation;
    if (!operationId || operationId === 'openapi') continue;
    await ok(`${operationId} refuses as it says`, async () => {
      const method = verb.toUpperCase();
      const count = (template.match(/\{/g) ?? []).length;
      const things = (one[template.includes('/pictures') ? 'pictures' : template.split('/')[1]] ?? []).slice(0, count);
      is(things.length, count, 'what stands for the parameters');
      const types = Object.keys(requestBody?.content ?? { [json]: null });
      const right = {
        template, things, method,
        path: fill(template, things),
        scope: security[0].bearer[0],
        type: types.includes(json) ? json : types[0],
        match: '*',
        body: changes[operationId],
      };
      for (const [status, wrong] of Object.entries(wrongs)) {
        if (!responses[status]) continue;
        const { path = right.path, ...rest } = wrong(right);
        const body = ['POST', 'PATCH'].includes(method) ? (right.type === json ? {} : svg) : undefined;
        const answer = await call(method, path, { type: right.type, match: right.match, ...rest, body: rest.body ?? body });
        is(answer.status, Number(status), `${method} ${path} ${JSON.stringify(rest).slice(0, 80)}: ${JSON.stringify(answer.body)}`);
      }
      if (method === 'GET' || method === 'PATCH') {
        const { status } = await call(method, right.path, { body: changes[operationId], match: '*' });
        is(status, 200, `${method} ${right.path}`);
      }
    });
  }

await ok('what is done to one is done', async () => {
  const [sku] = one.stock;
  const [hook, delivery] = one.webhooks;
  const again = async (path, body, status) => is((await call('POST', path, { body })).status, status, path);
  await again(`/products/${name}/variants`, { sku: `${sku}-L`, options: { size: 'L' }, prices: { EUR: 300 } }, 201);
  is((await call('DELETE', `/products/${name}/variants/${sku}-L`, { match: '*' })).status, 200);
  await again(`/stock/${sku}/adjust`, { on_hand: 3, reason: 'counted' }, 200);
  await again(`/webhooks/${hook}/rotate`, {}, 200);
  await again(`/webhooks/${hook}/deliveries/${delivery}/redeliver`, {}, 202);
  // What is there, is there; and what an order holds, or others stand below, stays.
  const clashes = async (method, path, body) => is((await call(method, path, { body, match: '*' })).status, 409, `${method} ${path}`);
  await clashes('POST', `/products/${name}/variants`, { sku, options: { size: 'M' }, prices: { EUR: 1 } });
  await clashes('PATCH', `/products/${name}`, { slug: 'jug' });
  await clashes('PATCH', `/categories/${name}`, { slug: 'kitchen' });
  await clashes('POST', '/shipping-methods', { slug: 'parcel', name: 'Twice', zones });
  await clashes('PATCH', `/shipping-methods/${name}`, { slug: 'parcel' });
  await made('/categories', { body: { slug: `${name}-below`, name: 'Below', parent: name } });
  await clashes('DELETE', `/categories/${name}`);
  is((await call('DELETE', `/categories/${name}-below`, { match: '*' })).status, 204);
  is((await call('PATCH', `/products/${name}`, { body: { status: 'published' }, match: '*' })).status, 200);
  const held = await made('/orders', { body: { items: [{ sku, quantity: 1 }], currency: 'EUR' } });
  await clashes('POST', `/stock/${sku}/adjust`, { on_hand: 0, reason: 'lost' });
  await clashes('DELETE', `/products/${name}/variants/${sku}`);
  await clashes('DELETE', `/products/${name}`);
  await again(`/orders/${held.order_id}/cancel`, {}, 200);
  await again('/products', { slug: name, name: 'Twice', variants: [{ sku: `${sku}-X`, prices: { EUR: 1 } }] }, 409);
  await again('/categories', { slug: name, name: 'Twice' }, 409);
  await again('/tax-rates', { class: name, country: 'DE', name: 'Twice', rate_ppm: 0 }, 409);
});
await ok('and they can be taken away', async () => {
  for (const path of [`/products/${name}/pictures/${one.pictures[1]}`, `/products/${name}`, `/categories/${name}`,
    `/shipping-methods/${name}`, `/tax-rates/${one['tax-rates'][0]}`, `/webhooks/${one.webhooks[0]}`]) {
    const { status } = await call('DELETE', path, { match: '*' });
    is([200, 204].includes(status), true, `DELETE ${path}: ${status}`);
  }
  is((await call('POST', `/orders/${one.orders[0]}/cancel`, { body: {} })).status, 200);
  is((await call('GET', '/openapi.json', { token: null })).body, document);
});
tally("answers of the store's API held to its description", answers);
done();
