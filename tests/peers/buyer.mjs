// A wallet: what a cardholder's side does, written from docs/protocol.md and the .proto files alone, on node:crypto and
// node:https. It enrols a card over EST, asks for offers, believes and signs them, and judges what comes back. Whatever
// is not as the page says throws. verify.mjs reads and packs messages, trust.mjs believes certificates.
import * as asn1js from 'asn1js';
import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import https from 'node:https';
import { bits, context, contextPrimitive, integer, octets, oid, sequence, set, tlv, utf8 } from './der.mjs';
import { account, contentOf, H, openReceipt, pack, refuse, requestHash, thumbprint, TYPES } from './verify.mjs';
import { unpack, verifySignature } from './verify.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const raw = (text) => Buffer.from(text, 'hex');
const same = (a, b, what) => a === b || refuse(`${what}: ${a}, expected ${b}`);
const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (key) => createPublicKey(key).export({ type: 'spki', format: 'der' });

// ------------------------------------------------------------------ the connection
const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
export const hangUp = () => agent.destroy();

// One request: TLS 1.3, judged by the root alone. Gives { status, headers, body, peer }, peer the server's certificate.
export function send(url, root, { body, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(
      url,
      { agent, ca: root, minVersion: 'TLSv1.3', timeout: 20000, ...options },
      (answer) => {
        const peer = answer.socket.getPeerCertificate().raw;
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () =>
          resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts), peer }),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 20 s')));
    request.on('error', reject);
    request.end(body);
  });
}

// ------------------------------------------------------------------ enrolment
const ARC = '2.25.292021134882307325024840491501456023928';
const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7';
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';

// PKCS#10 for a card: nonce as challengePassword, number, expiry and PANSecret as attributes.
function certificateRequest(privateKey, nonce, card) {
  const attribute = (type, value) => sequence(oid(type), set(value));
  const information = sequence(
    integer(0),
    sequence(),
    spki(privateKey),
    context(
      0,
      ...[
        attribute(CHALLENGE_PASSWORD, utf8(nonce)),
        attribute(`${ARC}.2`, octets(card.pan)),
        attribute(`${ARC}.3`, octets(card.expiry)),
        attribute(`${ARC}.4`, octets(card.panSecret)),
      ].sort(Buffer.compare),
    ),
  );
  return sequence(information, sequence(oid(ECDSA_SHA256)), bits(sign('sha256', information, privateKey)));
}

// The certificates of a "certs-only" message.
function certificatesOf(message) {
  const [type, explicit] = asn1js.fromBER(message).result.valueBlock.value;
  same(type.valueBlock.toString(), '1.2.840.113549.1.7.2', 'SignedData');
  const parts = explicit.valueBlock.value[0].valueBlock.value;
  const certificates = parts.find(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === 0);
  return certificates.valueBlock.value.map((one) => Buffer.from(one.valueBeforeDecodeView));
}
const fromBase64 = (body) => Buffer.from(body.toString('latin1'), 'base64');

// Those above a leaf among an authority's, without the root.
function chainOf(leaf, authorities) {
  const chain = [];
  for (let at = new X509Certificate(leaf); ; at = chain.at(-1)) {
    const issuer = authorities.find((one) => at.checkIssued(one));
    if (!issuer || issuer.checkIssued(issuer)) return chain.map((one) => one.raw);
    chain.push(issuer);
  }
}

// enrolment: { url, root, brand, id, secret, pan, expiry }. Gives the card: key, certificate, chain and secrets.
export async function enrol({ url, root, brand, id, secret, pan, expiry }) {
  const est = `${url}/.well-known/est/cardholder`;
  const attributes = await send(`${est}/csrattrs`, root);
  same(attributes.status, 200, 'csrattrs');
  const [challenge] = asn1js.fromBER(fromBase64(attributes.body)).result.valueBlock.value;
  const [type, values] = challenge.valueBlock.value;
  same(type.valueBlock.toString(), CHALLENGE_PASSWORD, 'the first attribute');
  const nonce = values.valueBlock.value[0].valueBlock.value;

  const { privateKey } = p256();
  const card = { brand, pan: Buffer.from(pan), expiry: Buffer.from(expiry), panSecret: randomBytes(32), privateKey };
  const answer = await send(`${est}/simpleenroll`, root, {
    method: 'POST',
    headers: {
      Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      'Content-Type': 'application/pkcs10',
      'Content-Transfer-Encoding': 'base64',
    },
    body: certificateRequest(privateKey, nonce, card).toString('base64'),
  });
  same(answer.status, 200, `simpleenroll (${answer.body})`);
  const [leaf, ...others] = certificatesOf(fromBase64(answer.body));
  same(others.length, 0, 'certificates beside the one that was issued');
  const authorities = await send(`${est}/cacerts`, root);
  same(authorities.status, 200, 'cacerts');
  const chain = chainOf(
    leaf,
    certificatesOf(fromBase64(authorities.body)).map((one) => new X509Certificate(one)),
  );
  const { publicKey, subject } = new X509Certificate(leaf);
  same(hex(publicKey.export({ type: 'spki', format: 'der' })), hex(spki(privateKey)), "the certificate's key");
  const cn = hex(account(card.pan, card.expiry, card.panSecret));
  same(subject, `O=${brand}\nOU=cardholder\nCN=${cn}`, 'subject');
  return { ...card, certificate: leaf, chain, thumbprint: hex(thumbprint(leaf)) };
}

// ------------------------------------------------------------------ messages
// Signs, packs and wraps one; without a key it stays unsigned. Gives its bytes and request hash.
function message(type, fields, { key, signer, certificates = [], envelope } = {}) {
  const content = pack(contentOf(type), fields);
  const name = Object.keys(TYPES).find((one) => TYPES[one] === type);
  const signed = { suite: 1, type: name, content: hex(content) };
  if (key) {
    signed.signature = hex(sign('sha256', H(`sig:${type}`, 1, raw(signer), content), key));
    signed.signer = signer;
  }
  const whole = { version: 1, signed, certificates: certificates.map(hex) };
  if (envelope) whole.envelope = hex(envelope);
  return { bytes: pack('Message', whole), hash: hex(requestHash(type, 1, signer ? raw(signer) : '', content)) };
}

// A merchant: who is asked, and by what certificates it is believed.
export class Merchant {
  // link: setpay://HOST[:PORT]/pay/TOKEN; trust: trust.mjs.
  constructor(link, root, trust) {
    const [, host, port, token] = /^setpay:\/\/([^/:]+)(?::(\d+))?\/pay\/([\w-]{16,64})$/.exec(link);
    Object.assign(this, { host, port: port ?? 443, token, root, trust });
  }

  // bytes -> { type, content, fields, message }, whose signature has been verified under the merchant's certificate.
  async ask(bytes, brand) {
    const { status, headers, body, peer } = await send(
      `https://${this.host}:${this.port}/setpay/v1/message`,
      this.root,
      { method: 'POST', headers: { 'Content-Type': 'application/x-protobuf' }, body: bytes },
    );
    same(status, 200, 'status');
    same(headers['content-type'], 'application/x-protobuf', 'Content-Type');
    const answer = unpack('Message', body);
    const type = TYPES[answer.signed.type];
    const content = raw(answer.signed.content);
    const fields = unpack(contentOf(type), content);
    if (type === 'Error') return { type, fields, body };
    this.trust.learn(answer.certificates, answer.crls);
    const signer = this.trust.find(answer.signed.signer) ?? refuse('the signer is not known');
    await this.trust.believe(signer, 'merchant-sign', brand);
    verifySignature(signer, type, answer.signed.suite, raw(answer.signed.signer), content, raw(answer.signed.signature));
    return { type, content, fields, signer, peer, body };
  }
}

// Rule A4, the part that all answers share.
function checkAnswer({ type, fields, signer }, asked) {
  same(type, asked.type, `the answer${type === 'Error' ? ` (code ${fields.code})` : ''}`);
  const { header } = fields;
  same(header.rrpid, asked.rrpid, 'rrpid');
  same(header.request_hash, asked.hash, 'request hash');
  same(header.sender, hex(thumbprint(signer)), 'sender');
  same(header.receiver, asked.receiver, 'receiver');
  if (asked.sender) same(header.sender, asked.sender, 'who was asked');
}

// PInit: the offer, with rules A4 and W1 to W3. Gives it with what is needed to agree to it.
export async function askOffer(merchant, brand, now = Date.now()) {
  const [rrpid, lid_c, chall_c] = [16, 16, 32].map((size) => hex(randomBytes(size)));
  const request = message('PInitReq', {
    header: { rrpid, date_ms: now, receiver_name: merchant.host },
    order_token: merchant.token,
    brand,
    chall_c,
    lid_c,
    thumbs: merchant.trust.thumbs(),
  });
  const answer = await merchant.ask(request.bytes, brand);
  checkAnswer(answer, { type: 'PInitRes', rrpid, hash: request.hash });
  const offer = answer.fields;
  same(offer.lid_c, lid_c, 'lid_c');
  same(offer.chall_c, chall_c, 'chall_c');
  same(offer.brand, brand, 'brand');

  const { trust } = merchant;
  await trust.believe(answer.peer, 'merchant-tls-server', trust.nameOf(answer.peer).O); // W1
  new X509Certificate(answer.peer).checkHost(merchant.host) ?? refuse('the connection is of another host');
  for (const certificate of [answer.signer, answer.peer])
    same(trust.nameOf(certificate).CN, offer.merchant_id, 'merchant id');
  const total = offer.items.reduce((sum, item) => sum + item.total_minor, 0); // W2
  same(total, offer.amount.minor, 'the sum of the items');
  if (offer.expiry_ms < now) refuse('the offer has expired');
  same(offer.terms.kind, 'SINGLE', 'terms');
  const gateway = {};
  for (const use of ['sign', 'encrypt']) { // W3
    gateway[use] = trust.find(offer[`gateway_${use}`]) ?? refuse(`no gateway certificate to ${use}`);
    await trust.believe(gateway[use], `gateway-${use}`, brand);
  }
  same(trust.nameOf(gateway.sign).CN, trust.nameOf(gateway.encrypt).CN, 'gateway');
  return { offer, digest: hex(H('offer', answer.content)), gateway, merchantCertificate: answer.signer };
}

// ------------------------------------------------------------------ the purchase
// CMS AuthEnvelopedData for the holder of that certificate.
export function sealEnvelope(plaintext, certificate) {
  const recipient = new X509Certificate(certificate);
  const ephemeral = p256();
  const point = spki(ephemeral.privateKey).subarray(-65);
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.publicKey });
  const wrapping = sequence(oid('2.16.840.1.101.3.4.1.45')); // id-aes256-wrap
  const information = sequence(wrapping, context(2, octets([0, 0, 1, 0])));
  const kek = createHash('sha256').update(shared).update(Buffer.from([0, 0, 0, 1])).update(information).digest();
  const [key, nonce] = [randomBytes(32), randomBytes(12)];
  const wrap = createCipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6));
  const wrapped = Buffer.concat([wrap.update(key), wrap.final()]);
  const seal = createCipheriv('aes-256-gcm', key, nonce);
  const ciphertext = Buffer.concat([seal.update(plaintext), seal.final()]);

  const tbs = asn1js.fromBER(certificate).result.valueBlock.value[0].valueBlock.value;
  const [serial, issuer] = [tbs[1], tbs[3]].map((element) => Buffer.from(element.valueBeforeDecodeView));
  const agreement = context(
    1,
    integer(3),
    context(0, context(1, sequence(oid('1.2.840.10045.2.1')), bits(point))),
    sequence(oid('1.3.132.1.11.1'), wrapping), // dhSinglePass-stdDH-sha256kdf-scheme
    sequence(sequence(sequence(issuer, serial), octets(wrapped))),
  );
  const content = sequence(
    oid('1.2.840.113549.1.7.1'),
    sequence(oid('2.16.840.1.101.3.4.1.46'), sequence(octets(nonce), integer(16))), // aes-256-gcm
    contextPrimitive(0, ciphertext),
  );
  return sequence(
    oid('1.2.840.113549.1.9.16.1.23'),
    context(0, sequence(integer(0), tlv(0x31, agreement), content, octets(seal.getAuthTag()))),
  );
}

// PReq: both halves, one signature, one envelope. Gives the purchase, as it is stored before it is sent.
export function signPurchase(card, { offer, digest, gateway, merchantCertificate }, now = Date.now()) {
  const rrpid = hex(randomBytes(16));
  const agreed = {
    xid: offer.xid,
    brand: offer.brand,
    amount: offer.amount,
    merchant: hex(thumbprint(merchantCertificate)),
    gateway_sign: offer.gateway_sign,
    gateway_encrypt: offer.gateway_encrypt,
    cardholder: card.thumbprint,
    expiry_ms: Math.min(offer.expiry_ms, now + 3600000),
    terms: offer.terms,
  };
  const backKey = randomBytes(32);
  const oi = pack('OrderInformation', {
    ...agreed,
    rrpid,
    date_ms: now,
    lid_c: offer.lid_c,
    lid_m: offer.lid_m,
    chall_c: offer.chall_c,
    chall_m: offer.chall_m,
    offer: digest,
  });
  const pi = pack('PaymentInstruction', {
    ...agreed,
    merchant_id: offer.merchant_id,
    back_key: hex(backKey),
    card: { pan: hex(card.pan), expiry: hex(card.expiry), pan_secret: hex(card.panSecret) },
  });
  const [oiSalt, piSalt] = [randomBytes(32), randomBytes(32)];
  const [oimd, pimd] = [H('oi', oiSalt, oi), H('pi', piSalt, pi)];
  const pomd = H('po', 1, pimd, oimd);
  const envelope = sealEnvelope(pack('SealedInstruction', { pi: hex(pi), pi_salt: hex(piSalt) }), gateway.encrypt);
  const request = message(
    'PReq',
    {
      oi: hex(oi),
      oi_salt: hex(oiSalt),
      pimd: hex(pimd),
      dual_signature: hex(sign('sha256', H('sig:DS', 1, raw(card.thumbprint), pomd), card.privateKey)),
      envelope: hex(H('env', envelope)),
    },
    { certificates: [card.certificate, ...card.chain], envelope },
  );
  return {
    ...request,
    ...agreed,
    rrpid,
    offer,
    card,
    backKey,
    oimd: hex(oimd),
    pomd: hex(pomd),
    gateway: gateway.sign,
  };
}

// Rules A4 and W6 of a PRes or InqRes. Gives its status with the receipts, opened, verified and chained.
function judge(answer, purchase, asked, challenge) {
  checkAnswer(answer, { ...asked, receiver: purchase.cardholder, sender: purchase.merchant });
  const { fields } = answer;
  const { offer } = purchase;
  for (const [name, expected] of Object.entries({
    xid: purchase.xid,
    lid_c: offer.lid_c,
    lid_m: offer.lid_m,
    challenge,
    oimd: purchase.oimd,
    gateway_sign: purchase.gateway_sign,
    merchant_id: offer.merchant_id,
  }))
    same(fields[name], expected, name);
  same(fields.amount.currency, purchase.amount.currency, 'currency');
  return { status: fields.status, fields, receipts: readReceipts(purchase, fields.receipts ?? []), body: answer.body };
}

function readReceipts(purchase, sealedReceipts) {
  let previous = '00'.repeat(32);
  return sealedReceipts.map((sealed) => {
    const opened = openReceipt(
      purchase.backKey,
      raw(sealed.receipt_id),
      raw(purchase.xid),
      sealed.kind,
      raw(sealed.ciphertext),
    );
    const signed = unpack('Signed', opened);
    same(signed.type, 'RECEIPT', 'type');
    same(signed.signer, purchase.gateway_sign, "the receipt's signer");
    const content = raw(signed.content);
    verifySignature(purchase.gateway, 'Receipt', signed.suite, raw(signed.signer), content, raw(signed.signature));
    const receipt = unpack('Receipt', content);
    for (const name of ['xid', 'pomd', 'brand', 'merchant', 'cardholder', 'gateway_sign'])
      same(receipt[name], purchase[name], `the receipt's ${name}`);
    same(receipt.merchant_id, purchase.offer.merchant_id, "the receipt's merchant");
    same(receipt.amount.currency, purchase.amount.currency, "the receipt's currency");
    if (receipt.amount.minor > purchase.amount.minor) refuse('the receipt is of more than was signed');
    same(receipt.kind, sealed.kind, "the receipt's kind");
    same(receipt.previous, previous, 'the receipt before');
    previous = hex(H('rcpt', opened));
    return receipt;
  });
}

export async function pay(merchant, purchase) {
  const answer = await merchant.ask(purchase.bytes, purchase.brand);
  const asked = { type: 'PRes', rrpid: purchase.rrpid, hash: purchase.hash };
  return judge(answer, purchase, asked, purchase.offer.chall_c);
}

export async function inquire(merchant, purchase, now = Date.now()) {
  const [rrpid, challenge] = [hex(randomBytes(16)), hex(randomBytes(32))];
  const { card } = purchase;
  const request = message(
    'InqReq',
    {
      header: { rrpid, date_ms: now, sender: card.thumbprint, receiver: purchase.merchant },
      xid: purchase.xid,
      lid_c: purchase.offer.lid_c,
      challenge,
    },
    { key: card.privateKey, signer: card.thumbprint, certificates: [card.certificate, ...card.chain] },
  );
  const answer = await merchant.ask(request.bytes, purchase.brand);
  return judge(answer, purchase, { type: 'InqRes', rrpid, hash: request.hash }, challenge);
}
