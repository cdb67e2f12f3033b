// A small store that sells through setpay, as an example for owners of real ones: JavaScript, setpay's API, and the
// `standardwebhooks` package. Of setpay it knows three things: the address of the API, a token, and the names of
// operations; paths and methods it reads from the OpenAPI document that the daemon serves.
//
//   const api = await Api.open('http://127.0.0.1:8080/api/v1', token);
//   const store = new Store(api, 'folder');                     // keeps what it knows there
//   await store.listen(8000);                                   // webhooks come to this port
//   await store.subscribe('http://127.0.0.1:8000/setpay');      // once
//   const order = await store.sell('basket-4711', { description: 'Two teapots', amount: 9980, currency: 'EUR' });
//   // Send the shopper to order.checkout_url, or show order.pay_uri on a page of your own. And then:
//   await store.until(order.order_id, 'order.authorised');
//
// docs/how-to/sell-from-your-own-store.md and react-to-events.md say why things are done so.
import { EventEmitter, once } from 'node:events';
import { appendFileSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

const TRIES = 6;
const BODY_BYTES = 256 * 1024;
const WAIT_MS = 20000;

// What the API refuses: `type` is for programs, the message for people (RFC 9457).
export class Refusal extends Error {
  constructor(problem) {
    super(`${problem.title}${problem.detail ? `: ${problem.detail}` : ''}`);
    this.problem = problem;
    this.status = problem.status;
    this.type = (problem.type ?? 'about:blank').replace('urn:setpay:problem:', '');
  }
}

// ------------------------------------------------------------------ requests
export class Api {
  #base;
  #token;
  #operations = new Map(); // operationId: { method, path }
  #heard;

  // heard({ method, path, status, body, type, headers }) is told each answer: for a log, or a test.
  static async open(base, token, heard = () => {}) {
    const answer = await fetch(`${base}/openapi.json`);
    if (!answer.ok) throw new Error(`${base}/openapi.json: ${answer.status}`);
    return new Api(await answer.json(), base, token, heard);
  }

  constructor(document, base, token, heard) {
    this.#base = new URL(document.servers[0].url, base).href;
    this.#token = token;
    this.#heard = heard;
    for (const [path, methods] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(methods))
        if (operation.operationId) this.#operations.set(operation.operationId, { method: method.toUpperCase(), path });
  }

  // One operation: { status, body, replayed }. `key` names the wish, and is needed for every POST: with it a request
  // can be sent again when no answer came, and still happens once.
  async call(operationId, { path = {}, query = {}, body, key } = {}) {
    const { method, path: template } = this.#operations.get(operationId) ?? {};
    if (!method) throw new Error(`the API has no operation ${operationId}`);
    if (method === 'POST' && !key) throw new Error(`${operationId} needs a key`);
    const place = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name]));
    const asked = new URLSearchParams(Object.entries(query)).toString();
    return this.#send(method, asked ? `${place}?${asked}` : place, body, key);
  }

  // Every item of a list, page by page: for await (const order of api.each('listOrders', 'orders')).
  async *each(operationId, member, query = {}) {
    for (let cursor = {}; cursor; ) {
      const { body } = await this.call(operationId, { query: { ...query, ...cursor } });
      yield* body[member];
      cursor = body.has_more && { cursor: body.next_cursor };
    }
  }

  // Again where it may help: when there was no answer, or none but "later". GET changes nothing, and POST has its key.
  async #send(method, path, body, key) {
    for (let tries = 1; ; tries++) {
      const last = tries === TRIES;
      let answer;
      try {
        answer = await this.#once(method, path, body, key);
      } catch (error) {
        if (last || !(error instanceof TypeError || error.name === 'TimeoutError')) throw error;
      }
      const later = !answer || answer.status >= 500 || answer.body?.type === 'urn:setpay:problem:request-under-way';
      if (!later || last) {
        if (answer.status >= 400) throw new Refusal(answer.body ?? { title: 'no answer', status: answer.status });
        return answer;
      }
      await pause(1000 * Number(answer?.headers.get('Retry-After') ?? 1));
    }
  }

  async #once(method, path, body, key) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (key) headers['Idempotency-Key'] = key;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const signal = AbortSignal.timeout(30000);
    const got = await fetch(this.#base + path, { method, headers, body: body && JSON.stringify(body), signal });
    // A proxy in between says what it has to say in HTML.
    const isJson = /^application\/(problem\+)?json/.test(got.headers.get('Content-Type') ?? '');
    const answer = {
      status: got.status,
      body: isJson ? await got.json() : null,
      headers: got.headers,
      replayed: got.headers.get('Idempotent-Replayed') === 'true',
    };
    this.#heard({ ...answer, method, path, type: got.headers.get('Content-Type') });
    return answer;
  }
}

// ------------------------------------------------------------------ the store
function whole(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

// Emits each new event by its type ('order.authorised', …), 'again' for one that it had, 'refused' for a forgery.
export class Store extends EventEmitter {
  orders = new Map(); // order_id: { status, at }, by the youngest event
  events = new Map(); // id: event; all that were taken
  #api;
  #folder;
  #journal;
  #server;
  #webhook; // { webhook_id, secret }
  #cursor; // behind the last event that was read from the list

  constructor(api, folder) {
    super();
    this.#api = api;
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const written = this.#read('events.jsonl') ?? '';
    this.#journal = openSync(join(folder, 'events.jsonl'), 'a', 0o600);
    // What a crash has cut off is no event: it was not answered, and comes again.
    if (written && !written.endsWith('\n')) appendFileSync(this.#journal, '\n');
    for (const line of written.split('\n')) {
      const event = whole(line);
      if (event) this.#note(event);
    }
    this.#webhook = JSON.parse(this.#read('webhook.json') ?? 'null');
    this.#cursor = this.#read('cursor');
  }

  #read(name) {
    const path = join(this.#folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  }

  // ---------------------------------------------------------------- what a shopper or the owner wants
  // Keys are made of what is wanted, never of the time: who wants the same again within a day
  // gets the same. The API forgets a key after that: a later wish is a new one, so a store keeps what was answered.

  // An order for one basket, by the store's own number: a description and an amount, or items of the catalogue.
  async sell(basket, wanted) {
    const body = { ...wanted, metadata: { basket } };
    return (await this.#api.call('createOrder', { body, key: `sell-${basket}` })).body;
  }

  // The n-th part of the money; what is authorised is only held before.
  async capture(orderId, n, amount) {
    return this.#act('captureOrder', orderId, `capture-${n}`, { amount });
  }

  // The n-th parcel, whose price is captured with it: [{ sku, quantity }], or all that is left.
  async ship(orderId, n, lines, tracking) {
    return this.#act('shipOrder', orderId, `ship-${n}`, { ...(lines && { lines }), ...(tracking && { tracking }) });
  }

  // The n-th refund: { amount }, or { lines, restock }.
  async refund(orderId, n, what) {
    return this.#act('refundOrder', orderId, `refund-${n}`, what);
  }

  async cancel(orderId) {
    return this.#act('cancelOrder', orderId, 'cancel', {});
  }

  // The order as it is asked for. 202: the gateway has not answered yet; the daemon goes on, and an event will tell.
  async #act(operationId, orderId, wish, body) {
    return (await this.#api.call(operationId, { path: { id: orderId }, body, key: `${orderId}-${wish}` })).body;
  }

  async show(orderId) {
    return (await this.#api.call('showOrder', { path: { id: orderId } })).body;
  }

  // ---------------------------------------------------------------- what happens to orders
  // Has events sent to `url`, once for all. The secret is shown this once, and kept where nobody else reads it.
  async subscribe(url) {
    if (!this.#webhook) {
      const { body } = await this.#api.call('createWebhook', { body: { url }, key: `webhook-${url}` });
      this.#webhook = { webhook_id: body.webhook_id, secret: body.secret };
      writeFileSync(join(this.#folder, 'webhook.json'), JSON.stringify(this.#webhook), { mode: 0o600 });
    }
    return this.#webhook.webhook_id;
  }

  // Port 0: some free one. Gives the port.
  async listen(port = 0) {
    this.#server = createServer((request, response) => this.#receive(request, response));
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this.#server.address().port;
  }

  async #receive(request, response) {
    const answer = (status) => response.writeHead(status, { Connection: 'close' }).end();
    if (request.method !== 'POST') return answer(405);
    try {
      const parts = [];
      let size = 0;
      for await (const part of request) {
        size += part.length;
        if (size > BODY_BYTES) return answer(413);
        parts.push(part);
      }
      let event;
      try {
        // Over the bytes that came: parsed and written again, they may be others.
        event = new Webhook(this.#webhook.secret).verify(Buffer.concat(parts).toString('utf8'), request.headers);
      } catch (error) {
        this.emit('refused', error);
        return answer(401);
      }
      this.take(event);
      answer(204); // after it is on the disk: an event that was answered so does not come again
    } catch {
      answer(500);
    }
  }

  // An event, from a webhook or a list: once, though it may come several times. No await in here, so that of two that
  // come together the second finds the first.
  take(event) {
    if (this.events.has(event.id)) {
      this.emit('again', event);
      return;
    }
    appendFileSync(this.#journal, `${JSON.stringify(event)}\n`);
    fsyncSync(this.#journal);
    this.#note(event);
    this.emit(event.type, event);
  }

  // Events come in no order: the youngest says what the order is.
  #note(event) {
    this.events.set(event.id, event);
    const { order_id: id, status } = event.data;
    if (id && !(this.orders.get(id)?.at > event.timestamp)) this.orders.set(id, { status, at: event.timestamp });
  }

  // What was missed while nothing listened, from the list of all events.
  async catchUp() {
    for (let more = true; more; ) {
      const query = this.#cursor ? { limit: 100, cursor: this.#cursor } : { limit: 100 };
      const { body } = await this.#api.call('listEvents', { query });
      for (const event of body.events) this.take(event);
      this.#cursor = body.next_cursor;
      writeFileSync(join(this.#folder, 'cursor'), this.#cursor);
      more = body.has_more;
    }
  }

  // The n-th event of that type of an order: now, or when it comes.
  async until(orderId, type, n = 1) {
    const signal = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const those = [...this.events.values()].filter((event) => event.type === type && event.data.order_id === orderId);
      if (those.length >= n) return those[n - 1];
      await once(this, type, { signal });
    }
  }

  async close() {
    closeSync(this.#journal);
    if (!this.#server) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
