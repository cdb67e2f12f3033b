// What was recorded between wallet, merchant and gateway, read by protobufjs with our .proto files: each message, its
// content and what lies inside that, packed again to the same bytes. Then what the messages claim, by verify.mjs and
// envelope.mjs: signatures, digests, the dual signature from both sides, the envelope, the receipts.
//
//   node captured.mjs SANDBOX CAPTURE
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import protobuf from 'protobufjs';
import { openEnvelope } from './envelope.mjs';
import { done, is, ok, refused, tally } from './tap.mjs';
import * as setpay from './verify.mjs';

const [sandbox, capture] = process.argv.slice(2);
const root = new protobuf.Root();
root.resolvePath = (_from, name) => path.resolve(process.env.SETPAY_TREE, name);
await root.load('proto/setpay/v1/payment.proto', { keepCase: true });

// By protobufjs: the object, of which packing again gave the same bytes. packed counts them by type.
const packed = {};
function read(type, bytes) {
  const codec = root.lookupType(`setpay.v1.${type}`);
  const object = codec.decode(bytes);
  is(Buffer.from(codec.encode(object).finish()), Buffer.from(bytes), `${type}, packed again`);
  const problem = codec.verify(object);
  if (problem) throw new Error(`${type}: ${problem}`);
  packed[type] = (packed[type] ?? 0) + 1;
  return object;
}
const hex = (bytes) => Buffer.from(bytes).toString('hex');

const lines = readFileSync(capture, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const certificates = new Map(); // by thumbprint
const all = []; // { link, way, message, type, content, header, bytes }

await ok('every message: protobufjs reads it and packs it to the same bytes', () => {
  for (const { link, way, bytes } of lines.filter((line) => line.bytes && line.link !== 'gateway-issuer')) {
    const message = read('Message', Buffer.from(bytes, 'hex'));
    const { signed } = message;
    const type = setpay.TYPES[root.lookupEnum('setpay.v1.MessageType').valuesById[signed.type]];
    const content = read(setpay.contentOf(type), signed.content);
    for (const der of message.certificates) certificates.set(hex(setpay.thumbprint(der)), Buffer.from(der));
    all.push({ link, way, message, signed, type, content, header: content.header, bytes });
  }
});
tally('captured messages read by others', all.length);
const of = (type) => all.filter((one) => one.type === type);

await ok('all thirteen types have travelled, and no other', () => {
  const types = [
    'AuthReq',
    'AuthRes',
    'AuthRevReq',
    'AuthRevRes',
    'Error',
    'InqReq',
    'InqRes',
    'PCertReq',
    'PCertRes',
    'PInitReq',
    'PInitRes',
    'PReq',
    'PRes',
  ];
  is([...new Set(all.map((one) => one.type))].sort(), types);
});
await ok('verify.mjs finds each in its canonical form', () => {
  for (const { bytes, type, signed } of all) {
    setpay.unpack('Message', Buffer.from(bytes, 'hex'));
    setpay.unpack(setpay.contentOf(type), Buffer.from(signed.content));
  }
});
await ok('TLS 1.3 on every connection, with a certificate of the party that was meant', () => {
  const connections = lines.filter((line) => line.tls);
  is([...new Set(connections.map((line) => line.tls))], ['TLSv1.3']);
  is(
    connections.every((line) => line.authorized),
    true,
    'authorized',
  );
  const peers = (link) =>
    [
      ...new Set(
        connections
          .filter((line) => line.link === link && !(line.resumed && !line.peer.CN))
          .map(({ peer }) => `${peer.O} ${peer.OU} ${peer.CN}`),
      ),
    ].sort();
  is(peers('wallet-merchant'), ['visa merchant sandbox-shop']);
  is(
    peers('merchant-gateway'),
    ['mastercard', 'visa'].flatMap((brand) => [
      `${brand} gateway sandbox-gateway`,
      `${brand} merchant sandbox-shop`,
    ]),
  );
});
await ok('the framing of HTTP is that of the page', () => {
  for (const line of lines.filter((one) => one.bytes && one.link === 'wallet-merchant')) {
    is(line.contentType, 'application/x-protobuf');
    if (line.way === 'request') is([line.method, line.path], ['POST', '/setpay/v1/message']);
    else is(line.status, 200);
  }
});

// Those that the sandbox has on disk; what a receiver listed was not sent.
for (const party of ['merchant', 'gateway'])
  for (const brand of ['visa', 'mastercard']) {
    for (const name of readdirSync(`${sandbox}/${party}/${brand}`).filter((file) => file.endsWith('.pem'))) {
      const { raw } = new X509Certificate(readFileSync(`${sandbox}/${party}/${brand}/${name}`));
      certificates.set(hex(setpay.thumbprint(raw)), raw);
    }
  }
const certificate = (thumbprint) => certificates.get(hex(thumbprint)) ?? setpay.refuse('an unknown certificate');

await ok('every signature verifies, and for its own type alone', () => {
  const unsigned = new Set();
  for (const { type, signed } of all) {
    if (!signed.signature?.length) {
      unsigned.add(type);
      continue;
    }
    const check = (as) =>
      setpay.verifySignature(
        certificate(signed.signer),
        as,
        signed.suite,
        signed.signer,
        signed.content,
        signed.signature,
      );
    check(type);
    refused(() => check(type === 'AuthReq' ? 'AuthRevReq' : 'AuthReq'), 'another type');
  }
  is(
    [...unsigned].sort().filter((type) => type !== 'Error'),
    ['PInitReq', 'PReq'],
  );
});
await ok('every answer carries the hash of its request, its rrpid, and both parties', () => {
  const requests = new Map(
    all
      .filter((one) => one.way === 'request')
      .map(({ type, signed, content, header }) => {
        const hash = hex(setpay.requestHash(type, signed.suite, signed.signer ?? '', signed.content));
        return [
          hash,
          { signed, header: header ?? root.lookupType('setpay.v1.OrderInformation').decode(content.oi) },
        ];
      }),
  );
  for (const { type, header, signed, content } of all.filter((one) => one.way === 'answer')) {
    const request =
      requests.get(hex(header?.request_hash ?? content.received)) ?? setpay.refuse('an answer to nothing');
    const { rrpid } = header ?? content;
    if (rrpid?.length) is(hex(rrpid), hex(request.header.rrpid), `${type}: rrpid`);
    if (type === 'Error') continue;
    is(hex(header.sender), hex(signed.signer), `${type}: sender`);
    if (request.signed.signer?.length) is(hex(header.receiver), hex(request.signed.signer), `${type}: receiver`);
    if (request.header?.receiver?.length)
      is(hex(header.sender), hex(request.header.receiver), `${type}: who was asked`);
  }
});

// ------------------------------------------------------------------ the purchases
// The gateway's encryption keys, by the thumbprint that AuthReq names.
const keys = new Map(
  ['visa', 'mastercard'].map((brand) => {
    const { raw } = new X509Certificate(readFileSync(`${sandbox}/gateway/${brand}/encrypt.pem`));
    return [
      hex(setpay.thumbprint(raw)),
      { raw, key: createPrivateKey(readFileSync(`${sandbox}/gateway/${brand}/encrypt.key`)) },
    ];
  }),
);
const purchases = new Map(); // by xid: { preq, oi, authReq, authRes, pi, pi_salt, envelope }
for (const { type, content, message } of all) {
  if (type === 'PReq') {
    const oi = read('OrderInformation', content.oi);
    purchases.set(hex(oi.xid), { ...purchases.get(hex(oi.xid)), preq: content, oi, sent: message.envelope });
  } else if (type === 'AuthReq' || type === 'AuthRes') {
    const known = purchases.get(hex(content.xid));
    purchases.set(hex(content.xid), {
      ...known,
      [type === 'AuthReq' ? 'authReq' : 'authRes']: content,
      ...(type === 'AuthReq' ? { envelope: message.envelope } : {}),
    });
  }
}
const each = [...purchases.values()];

await ok('both halves of eight purchases were seen', () => {
  is(each.length, 8);
  is(
    each.every((p) => p.preq && p.authReq && p.authRes && p.envelope),
    true,
  );
});
await ok('the envelope is the one that its digest names, and asn1js with node:crypto opens it', () => {
  for (const p of each) {
    is(hex(p.envelope), hex(p.sent), 'the envelope of PReq and of AuthReq');
    const digest = hex(setpay.H('env', p.envelope));
    is([hex(p.preq.envelope), hex(p.authReq.envelope)], [digest, digest]);
    const { key, raw } = keys.get(hex(p.authReq.gateway_encrypt));
    const inside = read('SealedInstruction', openEnvelope(p.envelope, key, raw));
    Object.assign(p, { packedPi: inside.pi, pi_salt: inside.pi_salt, pi: read('PaymentInstruction', inside.pi) });
    is(hex(setpay.H('pi', p.pi_salt, p.packedPi)), hex(p.preq.pimd), 'PIMD');
  }
});
await ok("no other gateway's key opens it, and no changed byte of it", () => {
  const [p] = each;
  const { key, raw } = keys.get(hex(p.authReq.gateway_encrypt));
  const other = [...keys.values()].find((one) => one.key !== key);
  refused(() => openEnvelope(p.envelope, other.key, raw), "another's key");
  refused(() => openEnvelope(p.envelope, other.key, other.raw), "another's key and certificate");
  for (let at = 0; at < p.envelope.length; at += 3) {
    const changed = Buffer.from(p.envelope);
    changed[at] ^= 0x10;
    refused(() => openEnvelope(changed, key, raw), `byte ${at} changed`);
  }
});
const merchantHalf = (p) => ({ oi: p.preq.oi, oi_salt: p.preq.oi_salt, pimd: p.preq.pimd });
const gatewayHalf = (p) => ({ pi: p.packedPi, pi_salt: p.pi_salt, oimd: p.authReq.oimd });
await ok('the dual signature verifies from either half, and both halves give one POMD', () => {
  for (const p of each) {
    const merchant = setpay.verifyDual(certificate(p.oi.cardholder), merchantHalf(p), p.preq.dual_signature);
    const gateway = setpay.verifyDual(certificate(p.authReq.cardholder), gatewayHalf(p), p.authReq.dual_signature);
    is(hex(merchant.pomd), hex(gateway.pomd), 'POMD of merchant and gateway');
    is(hex(p.authRes.pomd), hex(gateway.pomd), 'POMD in AuthRes');
  }
});
await ok('and from no half of another purchase', () => {
  for (const p of each)
    for (const other of each.filter((one) => one !== p)) {
      refused(
        () => setpay.verifyDual(certificate(p.oi.cardholder), merchantHalf(other), p.preq.dual_signature),
        'an order',
      );
      refused(
        () => setpay.verifyDual(certificate(p.oi.cardholder), gatewayHalf(other), p.preq.dual_signature),
        'a payment',
      );
      refused(
        () =>
          setpay.verifyDual(
            certificate(p.oi.cardholder),
            { ...merchantHalf(p), oi: other.preq.oi },
            p.preq.dual_signature,
          ),
        'an order under the salt',
      );
    }
});
await ok('order and payment say the same, of the offer that was signed', () => {
  const offers = new Set(of('PInitRes').map((one) => hex(setpay.H('offer', one.signed.content))));
  for (const { oi, pi, authReq } of each) {
    is(offers.has(hex(oi.offer)), true, 'the offer');
    for (const name of ['xid', 'merchant', 'gateway_sign', 'gateway_encrypt', 'cardholder'])
      is(hex(oi[name]), hex(pi[name]), name);
    for (const half of [oi, pi]) {
      is(
        [half.brand, Number(half.amount.minor), half.amount.currency, Number(half.expiry_ms), half.terms.kind],
        [
          authReq.brand,
          Number(authReq.amount.minor),
          authReq.amount.currency,
          Number(authReq.expiry_ms),
          authReq.terms.kind,
        ],
      );
    }
  }
});
await ok("the cardholder's certificate names the card, blinded, and nothing else", () => {
  for (const { pi } of each) {
    const id = hex(setpay.account(pi.card.pan, pi.card.expiry, pi.card.pan_secret));
    const { subject } = new X509Certificate(certificate(pi.cardholder));
    is(subject.split('\n'), [`O=${pi.brand}`, 'OU=cardholder', `CN=${id}`]);
  }
});
await ok("the card's number is nowhere in what travelled, but inside the envelope", () => {
  for (const { pi } of each) {
    const pan = Buffer.from(pi.card.pan);
    for (const { bytes, type } of all)
      is(Buffer.from(bytes, 'hex').includes(pan), false, `${type} holds a card number`);
  }
});

// ------------------------------------------------------------------ the receipts
await ok("every receipt opens with its purchase's back key, is the gateway's, and follows the one before", () => {
  const kinds = root.lookupEnum('setpay.v1.ReceiptKind').valuesById;
  const seen = new Set();
  for (const { type, content } of all.filter((one) =>
    ['PRes', 'InqRes', 'AuthRes', 'AuthRevRes'].includes(one.type),
  )) {
    const p = purchases.get(hex(content.xid));
    // An AuthRevRes has one that stands behind others; an InqRes leaves out what the wallet knows.
    let at = type === 'AuthRevRes' ? NaN : content.skipped ?? 0;
    p.chain ??= [];
    let previous = at === 0 ? '00'.repeat(32) : p.chain[at - 1] ?? null;
    for (const sealed of content.receipts ?? [content.receipt]) {
      const bytes = setpay.openReceipt(
        p.pi.back_key,
        sealed.receipt_id,
        p.pi.xid,
        kinds[sealed.kind],
        Buffer.from(sealed.ciphertext),
      );
      const signed = read('Signed', bytes);
      const receipt = read('Receipt', signed.content);
      setpay.verifySignature(
        certificate(p.pi.gateway_sign),
        'Receipt',
        signed.suite,
        signed.signer,
        signed.content,
        signed.signature,
      );
      is([hex(receipt.xid), hex(receipt.pomd), receipt.kind], [hex(p.pi.xid), hex(p.authRes.pomd), sealed.kind]);
      if (previous !== null) is(hex(receipt.previous), previous, 'previous');
      previous = hex(setpay.H('rcpt', bytes));
      if (!Number.isNaN(at)) p.chain[at++] = previous;
      seen.add(kinds[receipt.kind]);
      for (const other of each.filter((one) => one !== p))
        refused(
          () =>
            setpay.openReceipt(
              other.pi.back_key,
              sealed.receipt_id,
              p.pi.xid,
              kinds[sealed.kind],
              Buffer.from(sealed.ciphertext),
            ),
          "another's back key",
        );
    }
  }
  is([...seen].sort(), ['AUTHORISATION', 'DECLINE', 'REVERSAL', 'VOID'], 'kinds');
});
console.log(
  `# ${Object.entries(packed)
    .sort()
    .map(([type, n]) => `${type} ${n}`)
    .join(', ')}`,
);
done();
