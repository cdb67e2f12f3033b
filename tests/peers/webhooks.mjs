// The receiver of a webhook, as a shop's programmer writes it: standardwebhooks (the specification's own library)
// checks what setpay-merchantd sends, and refuses what somebody else makes of it.
//
//   node webhooks.mjs SANDBOX API_TOKEN    the token has webhooks:write, webhooks:read, orders:write and events:read
import { Webhook } from 'standardwebhooks';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { done, is, ok, refused } from './tap.mjs';

const [sandboxFolder, token] = process.argv.slice(2);
const sandbox = JSON.parse(readFileSync(`${sandboxFolder}/sandbox.json`));

async function call(method, path, body) {
  const answer = await fetch(`${sandbox.merchant_api_url}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': randomBytes(8).toString('hex'),
    },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
}

// What has come, as it came; who waits is told.
const got = [];
let told = () => {};
const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  got.push({ headers: request.headers, body: Buffer.concat(parts).toString('utf8') });
  response.writeHead(204).end();
  told();
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
async function next() {
  while (got.length === 0)
    await new Promise((resolve, reject) => {
      told = resolve;
      setTimeout(() => reject(new Error('nothing came')), 15000).unref();
    });
  return got.shift();
}

let hook;
await ok('a webhook is made', async () => {
  const { status, body } = await call('POST', '/webhooks', {
    url: `http://127.0.0.1:${server.address().port}/`,
    events: ['order.created'],
  });
  is(status, 201);
  hook = body;
});
let seen;
await ok('what comes is verified by the library, and is the event', async () => {
  const made = await call('POST', '/orders', {
    description: 'Zwei Kerzen, größer',
    amount: 1250,
    currency: 'EUR',
    metadata: { note: 'a\r\nb: c', light: '🕯' },
  });
  is(made.status, 201);
  seen = await next();
  const event = new Webhook(hook.secret).verify(seen.body, seen.headers);
  is([event.type, event.data.order_id, event.id], ['order.created', made.body.order_id, seen.headers['webhook-id']]);
  is(event.data.metadata, made.body.metadata);
});
await ok('and no other: body, id, time and secret', () => {
  const verify = (headers, body, secret = hook.secret) =>
    refused(() => new Webhook(secret).verify(body ?? seen.body, { ...seen.headers, ...headers }));
  verify({}, seen.body.replace('1250', '1'));
  verify({ 'webhook-id': 'evt_00000000000000000000' });
  verify({ 'webhook-timestamp': String(Number(seen.headers['webhook-timestamp']) + 1) });
  verify({}, undefined, `whsec_${randomBytes(32).toString('base64')}`);
});
await ok('nor one that is replayed when five minutes are over', () => {
  const old = String(Number(seen.headers['webhook-timestamp']) - 301);
  const webhook = new Webhook(hook.secret);
  const signature = webhook.sign(seen.headers['webhook-id'], new Date(Number(old) * 1000), seen.body);
  refused(() => webhook.verify(seen.body, { ...seen.headers, 'webhook-timestamp': old, 'webhook-signature': signature }));
});
await ok('while the secret is replaced, both verify', async () => {
  const { body } = await call('POST', `/webhooks/${hook.webhook_id}/rotate`, {});
  is((await call('POST', `/webhooks/${hook.webhook_id}/test`, {})).status, 202);
  const tried = await next();
  for (const secret of [hook.secret, body.secret])
    is(new Webhook(secret).verify(tried.body, tried.headers).type, 'webhook.test');
});
await ok('what is deleted is sent nothing more', async () => {
  is((await call('DELETE', `/webhooks/${hook.webhook_id}`)).status, 204);
  is((await call('GET', `/webhooks/${hook.webhook_id}`)).status, 404);
});
server.close();
server.closeAllConnections();
done();
