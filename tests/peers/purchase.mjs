// A whole purchase by the wallet of buyer.mjs, which knows docs/protocol.md and nothing of the C code, against the real
// authority, merchant, gateway and issuer: enrolment, offer, dual signature, receipts, inquiries; then what must be
// refused when a wallet, or what it is told, is not as the page says.
//
//   node purchase.mjs SANDBOX ENROLMENTS    ENROLMENTS: { NAME: { brand, id, secret, pan, expiry } }, a file of JSON
import { randomBytes, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { askOffer, enrol, hangUp, inquire, Merchant, pay, signPurchase } from './buyer.mjs';
import { done, is, ok, tally } from './tap.mjs';
import { Trust } from './trust.mjs';
import { H, pack, unpack } from './verify.mjs';

const [sandboxFile, enrolmentsFile] = process.argv.slice(2);
const sandbox = JSON.parse(readFileSync(`${sandboxFile}/sandbox.json`));
const enrolments = JSON.parse(readFileSync(enrolmentsFile));
const root = readFileSync(sandbox.ca_file);
const trust = new Trust(new X509Certificate(root).raw);

// The store's side: its API.
async function api(method, path, body) {
  const answer = await fetch(`${sandbox.merchant_api_url}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${sandbox.merchant_api_token}`,
      'Idempotency-Key': randomBytes(8).toString('hex'),
      'Content-Type': 'application/json',
    },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
const newOrder = (amount) => api('POST', '/orders', { description: 'Made by another wallet', amount, currency: 'EUR' });
const merchantOf = (order) => new Merchant(order.pay_uri, root, trust);
async function refusedWith(code, run) {
  try {
    await run();
  } catch (error) {
    is(error.message.match(/\(code (\d+)\)/)?.[1], String(code), `refusal (${error.message})`);
    return;
  }
  throw new Error('it was accepted');
}
const until = async (wanted, look) => {
  const end = Date.now() + 20000;
  for (;;) {
    const seen = await look();
    if (seen.status === wanted || Date.now() > end) return is(seen.status, wanted, 'status'), seen;
    await new Promise((again) => setTimeout(again, 50));
  }
};

const cards = {};
await ok('cards of two brands are enrolled over EST', async () => {
  for (const [name, one] of Object.entries(enrolments))
    cards[name] = await enrol({ url: sandbox.ca_url, root, ...one });
});

const order = await newOrder(1250);
const merchant = merchantOf(order);
let purchase, paid;
await ok('an offer is asked for, and believed', async () => {
  const offer = await askOffer(merchant, 'visa');
  is([offer.offer.amount, offer.offer.lid_m], [{ minor: 1250, currency: 'EUR' }, order.order_id]);
  purchase = signPurchase(cards.approve, offer);
});
await ok('it is paid: authorised, by a receipt that opens and verifies', async () => {
  paid = await pay(merchant, purchase);
  is([paid.status, paid.fields.amount.minor], ['AUTHORISED', 1250]);
  is(
    paid.receipts.map(({ kind, amount, action_code }) => [kind, amount.minor, action_code]),
    [['AUTHORISATION', 1250, '00']],
  );
});
await ok('the same PReq gets the same answer, byte for byte', async () => {
  is((await pay(merchant, purchase)).body, paid.body);
});
await ok('merchant and issuer see it as any other', async () => {
  const { status, payments } = await api('GET', `/orders/${order.order_id}`);
  is([status, payments.map((one) => one.xid)], ['authorised', [purchase.xid]]);
});
await ok('an inquiry gives the same outcome and receipt', async () => {
  const seen = await inquire(merchant, purchase);
  is([seen.status, seen.receipts], ['AUTHORISED', paid.receipts]);
});
await ok("and none to another's card", () =>
  refusedWith(13, () => inquire(merchant, { ...purchase, card: cards['do-not-honour'] })));
await ok('the store gives it back: a second receipt, chained to the first', async () => {
  await api('POST', `/orders/${order.order_id}/void`, {});
  const { receipts } = await until('REVERSED', () => inquire(merchant, purchase));
  is(
    receipts.map(({ kind, amount }) => [kind, amount.minor]),
    [
      ['AUTHORISATION', 1250],
      ['REVERSAL', 1250],
    ],
  );
});

await ok('a declined card: the receipt says so', async () => {
  const other = merchantOf(await newOrder(700));
  const offer = await askOffer(other, cards['do-not-honour'].brand);
  const { status, receipts } = await pay(other, signPurchase(cards['do-not-honour'], offer));
  is([status, receipts.map(({ kind, action_code }) => [kind, action_code])], ['DECLINED', [['DECLINE', '05']]]);
});
await ok('a card of another brand pays too', async () => {
  const other = merchantOf(await newOrder(5000));
  const card = cards['approve-mastercard'];
  const { status } = await pay(other, signPurchase(card, await askOffer(other, card.brand)));
  is([card.brand, status], ['mastercard', 'AUTHORISED']);
});
await ok('thumbs: what was listed is left out, and all is believed again', async () => {
  const before = trust.certificates.size;
  await askOffer(merchantOf(await newOrder(100)), 'visa');
  is(trust.certificates.size, before);
});

// ------------------------------------------------------------------ a wallet that gets it wrong
const wrong = async (change) => {
  const other = merchantOf(await newOrder(300));
  const made = signPurchase(cards.approve, await askOffer(other, 'visa'));
  await refusedWith(...change(made, (bytes) => pay(other, { ...made, bytes })));
};
// The PReq with other fields in its content.
const changed = ({ bytes }, change) => {
  const whole = unpack('Message', bytes);
  const fields = unpack('PReq', Buffer.from(whole.signed.content, 'hex'));
  whole.signed.content = pack('PReq', { ...fields, ...change(fields) }).toString('hex');
  return pack('Message', whole);
};
const CRYPTOGRAPHIC = 8;
await ok('another salt than that under the signature is refused', () =>
  wrong((made, send) => [CRYPTOGRAPHIC, () => send(changed(made, () => ({ oi_salt: '11'.repeat(32) })))]));
await ok("a dual signature over another purchase's payment is refused", () =>
  wrong((made, send) => [CRYPTOGRAPHIC, () => send(changed(made, () => ({ pimd: purchase.oimd })))]));
await ok('a signature of another type is no dual signature', () =>
  wrong((made, send) => {
    const digest = H('sig:PReq', 1, Buffer.from(cards.approve.thumbprint, 'hex'), Buffer.from(made.pomd, 'hex'));
    const dual_signature = sign('sha256', digest, cards.approve.privateKey).toString('hex');
    return [CRYPTOGRAPHIC, () => send(changed(made, () => ({ dual_signature })))];
  }));
await ok('a message that is not in its one form is refused', () =>
  wrong((made, send) => [3, () => send(Buffer.concat([made.bytes, Buffer.from([0x08, 0x01])]))]));
tally('purchases of a wallet written from the page', 3);
hangUp();
done();
