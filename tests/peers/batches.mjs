// A merchant's exported batches (setpay-batch(5)) and what a gateway hands out of the same (setpay-evidence(5)), read
// and proven by who knows docs/protocol.md and nothing of the C code: the gateway's answers by which batches are closed,
// its answers of each item, which must come to the same, and the merchant's requests.
//
//   node batches.mjs ROOT MERCHANT_FILE GATEWAY_FILE...
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { done, is, ok, refused, tally } from './tap.mjs';
import { Trust } from './trust.mjs';
import { contentOf, refuse, thumbprint, unpack, verifySignature } from './verify.mjs';

const [rootFile, merchantFile, ...gatewayFiles] = process.argv.slice(2);
const root = new X509Certificate(readFileSync(rootFile)).raw;
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const decode = (text) => Buffer.from(text, 'base64');
const same = (got, expected, what) => got === expected || refuse(`${what}: ${got}, expected ${expected}`);
const sameTotals = (a, b, what) => same(JSON.stringify(a), JSON.stringify(b), what);

const read = (name) => JSON.parse(readFileSync(name));
const file = read(merchantFile);
const handedOut = gatewayFiles.map(read);

// One total as a text: what stands in a message, in a file, and what items come to.
const text = (currency, ...numbers) => `${currency} ${numbers.join(' ')}`;
const ofMessage = (totals = []) =>
  totals.map((one) => text(one.currency, one.capture_count, one.capture_minor, one.credit_count, one.credit_minor));
const ofFile = (totals) =>
  totals.map((one) => text(one.currency, one.capture_count, one.capture_amount, one.credit_count, one.credit_amount));
function ofItems(items) {
  const sums = {};
  for (const { kind, amount, currency } of items.filter(({ status }) => status === 'done')) {
    const sum = (sums[currency] ??= [0, 0, 0, 0]);
    sum[kind === 'credit' ? 2 : 0]++;
    sum[kind === 'credit' ? 3 : 1] += amount;
  }
  return Object.entries(sums).sort().map(([currency, numbers]) => text(currency, ...numbers));
}

// Whoever signs is believed at the date of what was signed, for its brand.
async function open(trust, certificate, proof, type, profile, brand) {
  same(proof.type, type, 'type');
  const content = decode(proof.content);
  verifySignature(certificate, type, 1, thumbprint(certificate), content, decode(proof.signature));
  const message = unpack(contentOf(type), content);
  await trust.believe(certificate, profile, brand, new Date(message.header.date_ms), false);
  same(message.brand, brand, 'brand');
  return message;
}

// What the gateway has done of one item, out of its signed answer.
function doneOf(item, answer, undoes) {
  const all = answer.done ?? (answer.capture ? [answer.capture] : []);
  const done = all.find((one) => (undoes ? one.of : one.id) === item.id) ?? refuse('the answer is of another step');
  same(done.xid, item.xid, 'xid');
  same(done.amount.minor, item.amount, 'amount');
  same(done.amount.currency, item.currency, 'currency');
  return done;
}

async function proveBatch(given, batch) {
  same(given.setpay_batch, 1, 'form');
  const trust = new Trust(root);
  const ders = given.certificates.map(decode);
  trust.learn(ders.map(hex));
  const signed = (proof, type) => {
    const der = ders.find((one) => hex(thumbprint(one)) === proof.signer) ?? refuse('the signer is not in the file');
    return open(trust, der, proof, type, 'gateway-sign', batch.brand);
  };
  for (const item of batch.items) {
    const credits = item.kind === 'credit';
    const type = item.proof.type === 'AuthRes' && !credits ? 'AuthRes' : credits ? 'CredRes' : 'CapRes';
    const answer = await signed(item.proof, type);
    same(answer.merchant_id, given.merchant_id, 'merchant');
    same(doneOf(item, answer, false).batch, batch.batch, 'the batch of an item');
    if (item.status === 'undone')
      doneOf(item, await signed(item.undone_proof, credits ? 'CredRevRes' : 'CapRevRes'), true);
  }
  sameTotals(ofItems(batch.items), ofFile(batch.totals), 'what the items come to');
  const answer = await signed(batch.proof ?? refuse('nothing closes it'), 'BatchAdminRes');
  same(batch.status, 'closed', 'status');
  same(answer.merchant_id, given.merchant_id, 'merchant');
  same(answer.batch, batch.batch, 'batch');
  same(answer.agreed, true, 'agreed');
  sameTotals(ofMessage(answer.totals), ofFile(batch.totals), "the gateway's totals");
  return answer;
}

// The merchant's word, as the gateway shows it: trust has the CAs of the merchant's certificate.
async function proveRequest(given, trust) {
  same(given.setpay_evidence, 1, 'form');
  const closing = given.messages.filter(({ agreed }) => agreed);
  same(closing.length, 1, 'requests that close it');
  const der = decode(closing[0].certificate);
  const request = await open(trust, der, closing[0], 'BatchAdminReq', 'merchant-sign', given.brand);
  same(trust.nameOf(der).CN, given.merchant_id, 'whose certificate it is');
  same(request.merchant_id, given.merchant_id, 'merchant');
  same(request.batch, given.batch, 'batch');
  same(request.action, 'BATCH_CLOSE', 'action');
  return request;
}

async function mustRefuse(prove, given, changes) {
  for (const change of changes) {
    const other = structuredClone(given);
    change(other);
    const failed = await prove(other).then(() => undefined, (error) => error);
    refused(() => {
      if (failed) throw failed;
    }, `${change}`);
  }
}
const flipped = (text64) => {
  const bytes = decode(text64);
  bytes[bytes.length >> 1] ^= 1;
  return bytes.toString('base64');
};

const closed = file.batches.filter(({ status }) => status === 'closed');
for (const batch of closed) {
  const name = `${batch.brand} batch ${batch.batch}`;
  const at = file.batches.indexOf(batch);
  await ok(`a stranger proves what stood in ${name}, and that the gateway has closed it with these totals`, () =>
    proveBatch(file, batch));
  await ok(`with one number, byte, batch or certificate changed ${name} is refused`, () =>
    mustRefuse((given) => proveBatch(given, given.batches[at]), file, [
      (of) => of.batches[at].totals[0].capture_amount++,
      (of) => of.batches[at].totals[0].capture_count++,
      (of) => (of.batches[at].totals[0].currency = 'XTS'),
      // One that was undone adds nothing to the totals, and none of them misses it.
      (of) => of.batches[at].items.splice(of.batches[at].items.findIndex(({ status }) => status !== 'undone'), 1),
      (of) => of.batches[at].batch++,
      (of) => (of.batches[at].brand = batch.brand === 'visa' ? 'mastercard' : 'visa'),
      (of) => (of.merchant_id += '2'),
      (of) => delete of.batches[at].proof,
      (of) => (of.batches[at].proof = of.batches[at].items[0].proof),
      (of) => (of.batches[at].proof.content = flipped(batch.proof.content)),
      (of) => (of.batches[at].proof.signature = of.batches[at].items[0].proof.signature),
      (of) => of.certificates.splice(0),
    ]));
}

// An authority's certificates are public; here they are those that the sandbox's CA gives out.
const authorities = (process.env.AUTHORITIES ?? '').split('\n').filter(Boolean);
for (const given of handedOut) {
  const trust = new Trust(root);
  trust.learn(authorities);
  const batch = closed.find((one) => one.brand === given.brand && one.batch === given.batch);
  await ok(`and that the merchant has asked to close ${given.brand} batch ${given.batch}, counting the same`, async () => {
    const request = await proveRequest(given, trust);
    sameTotals(ofMessage(request.totals), ofFile(batch.totals), "the merchant's totals");
    is(ofMessage(request.totals), ofMessage((await proveBatch(file, batch)).totals), 'both totals');
  });
  await ok('the request with a word or byte changed is refused', () =>
    mustRefuse((of) => proveRequest(of, trust), given, [
      (of) => of.batch++,
      (of) => (of.merchant_id += '2'),
      (of) => (of.messages = []),
      (of) => (of.messages[0].content = flipped(of.messages[0].content)),
      (of) => (of.messages[0].type = 'CapReq'),
      (of) => (of.messages[0].certificate = flipped(of.messages[0].certificate)),
    ]));
}
await ok('there is a batch, and both sides of it', () => {
  if (closed.length === 0 || handedOut.length === 0) refuse('none');
});
tally('closed batches proven by another reader', closed.length);
done();
