// Receipts that wallets have exported (setpay-evidence(5)), read and proven by who knows docs/protocol.md and nothing of
// the C code: signatures, chains from the CA certificates in the file up to a root that is given, the dual signature,
// the receipts in their chain, and the words around them.
//
//   node export.mjs ROOT FILE...
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { done, is, ok, refused, tally } from './tap.mjs';
import { Trust } from './trust.mjs';
import { H, refuse, thumbprint, unpack, verifyDual, verifySignature } from './verify.mjs';

const [rootFile, ...files] = process.argv.slice(2);
const root = new X509Certificate(readFileSync(rootFile)).raw;
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const raw = (text) => Buffer.from(text, 'hex');
const decode = (text) => Buffer.from(text, 'base64');
const same = (got, expected, what) => got === expected || refuse(`${what}: ${got}, expected ${expected}`);

// One of the file's messages: its content, and the certificates that came beside it by their thumbprints.
function open(file, member, type) {
  const message = unpack('Message', decode(file[member]));
  same(message.signed.type, type, `${member}'s type`);
  const beside = new Map((message.certificates ?? []).map((one) => [hex(thumbprint(raw(one))), raw(one)]));
  return { ...message, beside, content: raw(message.signed.content) };
}

const signs = { AUTHORISATION: 1, REVERSAL: -1 };
function addUp(receipts) {
  const sum = (kind, undo) =>
    receipts.reduce((all, { kind: of, amount }) => all + (of === kind ? amount.minor : of === undo ? -amount.minor : 0), 0);
  return {
    authorised_amount: sum('AUTHORISATION'),
    reversed_amount: sum('REVERSAL'),
    captured_amount: sum('CAPTURE', 'CAPTURE_REVERSAL'),
    credited_amount: sum('CREDIT', 'CREDIT_REVERSAL'),
    held: receipts.reduce((all, { kind, amount }) => all + (signs[kind] ?? 0) * amount.minor, 0),
  };
}

async function prove(file) {
  same(file.setpay_receipt, 1, 'form');
  const [first, ...cas] = file.certificates.map(decode);
  same(hex(first), hex(root), 'the root');
  const trust = new Trust(root);
  trust.learn(cas.map(hex));
  const believe = (der, profile, brand, date) =>
    trust.believe(der ?? refuse(`no certificate of ${profile}`), profile, brand, new Date(date), false);

  const offer = open(file, 'offer', 'PINIT_RES');
  const terms = unpack('PInitRes', offer.content);
  const merchant = offer.beside.get(offer.signed.signer);
  await believe(merchant, 'merchant-sign', terms.brand, terms.header.date_ms);
  const { suite, signer, signature } = offer.signed;
  verifySignature(merchant, 'PInitRes', suite, raw(signer), offer.content, raw(signature));
  same(trust.nameOf(merchant).CN, terms.merchant_id, 'merchant id');
  same(terms.items.reduce((sum, { total_minor }) => sum + total_minor, 0), terms.amount.minor, 'the sum of the items');

  const order = open(file, 'preq', 'P_REQ');
  const preq = unpack('PReq', order.content);
  const oi = unpack('OrderInformation', raw(preq.oi));
  const card = order.beside.get(oi.cardholder);
  await believe(card, 'cardholder-sign', terms.brand, oi.date_ms);
  const half = { oi: raw(preq.oi), oi_salt: raw(preq.oi_salt), pimd: raw(preq.pimd) };
  const pomd = hex(verifyDual(card, half, raw(preq.dual_signature)).pomd);
  same(oi.offer, hex(H('offer', offer.content)), "the offer's digest");
  same(oi.merchant, signer, "the order's merchant");

  const gateway = decode(file.gateway_certificate);
  same(hex(thumbprint(gateway)), oi.gateway_sign, "the order's gateway");
  let previous = '00'.repeat(32);
  const receipts = [];
  for (const shown of file.receipts) {
    const bytes = decode(shown.signed);
    const signed = unpack('Signed', bytes);
    same(signed.type, 'RECEIPT', 'type');
    const content = raw(signed.content);
    verifySignature(gateway, 'Receipt', signed.suite, raw(signed.signer), content, raw(signed.signature));
    const receipt = unpack('Receipt', content);
    await believe(gateway, 'gateway-sign', terms.brand, receipt.date_ms);
    for (const [name, expected] of Object.entries({ xid: oi.xid, pomd, merchant: signer, cardholder: oi.cardholder, previous }))
      same(receipt[name], expected, `the receipt's ${name}`);
    previous = hex(H('rcpt', bytes));
    same(shown.hash, previous, 'hash');
    same(shown.kind, receipt.kind.toLowerCase().replace('_', ' '), 'kind');
    same(shown.amount, receipt.amount.minor, 'amount');
    receipts.push(receipt);
  }

  const { held, ...sums } = addUp(receipts);
  for (const [name, expected] of Object.entries(sums)) same(file[name], expected, name);
  const [{ kind }] = receipts;
  const status = kind === 'DECLINE' ? 'declined' : kind === 'VOID' || held === 0 ? 'failed' : 'authorised';
  same(file.status, sums.captured_amount > 0 ? 'captured' : status, 'status');
  const expected = { xid: oi.xid, pomd, amount: oi.amount.minor, currency: oi.amount.currency, order_id: oi.lid_m };
  for (const [name, value] of Object.entries(expected)) same(file[name], value, name);
  same(file.merchant, terms.merchant_name, 'merchant');
  is(
    file.items.map(({ name, quantity, amount }) => [name, quantity, amount]),
    terms.items.map(({ name, quantity, total_minor }) => [name, quantity, total_minor]),
    'items',
  );
  return receipts.map((one) => one.kind);
}

for (const name of files) {
  const file = JSON.parse(readFileSync(name));
  const kinds = [];
  await ok(`a stranger proves ${file.status}, ${file.amount_text}`, async () => kinds.push(...(await prove(file))));
  await ok(`and that ${kinds.join(', ')} is all of it: with a word, a byte or a CA changed it is refused`, async () => {
    const changed = (change) => {
      const other = structuredClone(file);
      change(other);
      return other;
    };
    const flipped = (text, at) => {
      const bytes = decode(text);
      bytes[at ?? bytes.length >> 1] ^= 1;
      return bytes.toString('base64');
    };
    for (const change of [
      (of) => of.amount++,
      (of) => (of.status = 'captured'),
      (of) => (of.items[0].name += '!'),
      (of) => (of.receipts[0].signed = flipped(of.receipts[0].signed)),
      (of) => (of.gateway_certificate = flipped(of.gateway_certificate)),
      (of) => (of.offer = flipped(of.offer, 60)),
      (of) => (of.preq = flipped(of.preq, 60)),
      (of) => of.certificates.splice(1, 1),
    ]) {
      const failed = await prove(changed(change)).then(() => undefined, (error) => error);
      refused(() => {
        if (failed) throw failed;
      }, `${change}`);
    }
  });
}
tally('exported receipts proven by another reader', files.length);
done();
