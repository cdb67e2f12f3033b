// Every vector of tests/vectors, given to verify.mjs and envelope.mjs (docs/vectors.md says what to do with each):
// what is good must be accepted and give the same values, what is not must be refused. Then each good one with each
// single byte of it changed, so that it is seen that they can refuse.
import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { openEnvelope } from './envelope.mjs';
import { done, is, ok, refused, tally } from './tap.mjs';
import * as setpay from './verify.mjs';

const folder = `${process.env.SETPAY_TREE ?? '../..'}/tests/vectors`;
const hex = (text) => Buffer.from(text, 'hex');

// One function for each file; throws where the vector must be refused.
const judge = {
  hashes(x) {
    const digest = {
      H: () => setpay.H(x.tag, ...x.parts.map(hex)),
      request: () => setpay.requestHash(x.type, x.suite, hex(x.sender), hex(x.content)),
      thumbprint: () => setpay.thumbprint(hex(x.certificate)),
      account: () => setpay.account(Buffer.from(x.pan), Buffer.from(x.expiry), hex(x.pan_secret)),
    }[x.kind]();
    is(digest, hex(x.digest), x.kind);
  },
  contents(x) {
    is(setpay.unpack(x.message, hex(x.packed)), x.fields, 'fields');
    is(setpay.pack(x.message, x.fields), hex(x.packed), 'packed');
  },
  'contents-refused'(x) {
    setpay.unpack(x.message, hex(x.packed));
  },
  signatures(x) {
    setpay.verifySignature(hex(x.certificate), x.type, x.suite, hex(x.signer), hex(x.content), hex(x.signature));
  },
  dual(x) {
    const [certificate, ds] = [hex(x.certificate), hex(x.dual_signature)];
    const merchant = { oi: hex(x.oi), oi_salt: hex(x.oi_salt), pimd: hex(x.pimd) };
    const gateway = { pi: hex(x.pi), pi_salt: hex(x.pi_salt), oimd: hex(x.oimd) };
    for (const half of [merchant, gateway]) {
      const made = setpay.verifyDual(certificate, half, ds);
      for (const name of ['oimd', 'pimd', 'pomd']) is(made[name], hex(x[name]), name);
    }
  },
  messages(x) {
    const message = setpay.unpack('Message', hex(x.packed));
    const { suite, type, content, signature, signer } = message.signed;
    is(setpay.TYPES[type], x.type, 'type');
    is(content, x.content, 'content');
    setpay.unpack(setpay.contentOf(x.type), hex(content));
    is(setpay.requestHash(x.type, suite, hex(signer ?? ''), hex(content)), hex(x.request_hash), 'request hash');
    is(signature !== undefined, x.signed, 'signed');
    if (!x.signed) return;
    setpay.verifySignature(hex(message.certificates[0]), x.type, suite, hex(signer), hex(content), hex(signature));
  },
  envelopes(x) {
    is(setpay.H('env', hex(x.envelope)), hex(x.digest), 'digest');
    const plaintext = openEnvelope(hex(x.envelope), createPrivateKey(x.key), hex(x.certificate));
    is(plaintext, Buffer.from(x.plaintext), 'plaintext');
  },
  receipts(x) {
    const signed = setpay.openReceipt(hex(x.back_key), hex(x.receipt_id), hex(x.xid), x.kind, hex(x.sealed));
    is(signed, hex(x.signed), 'signed');
    is(setpay.H('rcpt', signed), hex(x.hash), 'hash');
    const { suite, type, content, signature, signer } = setpay.unpack('Signed', signed);
    is(type, 'RECEIPT', 'type');
    const { kind, xid } = setpay.unpack('Receipt', hex(content));
    is([kind, xid], [x.kind.toUpperCase(), x.xid], 'kind and xid');
    setpay.verifySignature(hex(x.gateway), 'Receipt', suite, hex(signer), hex(content), hex(signature));
  },
};

const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -5))
  .sort();
const vectors = Object.fromEntries(
  files.map((name) => [name, JSON.parse(readFileSync(`${folder}/${name}.json`)).vectors]),
);
let [accepted, refusals] = [0, 0];

for (const file of files) {
  await ok(`${file}.json: agrees on all ${vectors[file].length}`, () => {
    for (const [at, vector] of vectors[file].entries()) {
      const name = `vector ${at}, ${vector.message ?? vector.type ?? vector.kind ?? ''} ${vector.why ?? ''}`;
      if ((vector.error ?? 'OK') !== 'OK') {
        refused(() => judge[file](vector), name);
        refusals++;
        continue;
      }
      try {
        judge[file](vector);
      } catch (cause) {
        throw new Error(`${name}: ${cause.message}`);
      }
      accepted++;
    }
  });
}
await ok('these are at least 150, good ones and others', () => {
  if (accepted + refusals < 150 || accepted < 30 || refusals < 100) throw new Error(`${accepted} and ${refusals}`);
});
tally('vectors agreed', accepted + refusals);

// ------------------------------------------------------------------ each byte changed
const changeable = {
  signatures: ['certificate', 'signer', 'content', 'signature'],
  dual: ['certificate', 'oi', 'oi_salt', 'pi', 'pi_salt', 'oimd', 'pimd', 'pomd', 'dual_signature'],
  envelopes: ['envelope', 'digest'],
  receipts: ['back_key', 'receipt_id', 'xid', 'sealed', 'signed', 'hash', 'gateway'],
  messages: ['content', 'request_hash'],
};
for (const [file, members] of Object.entries(changeable)) {
  const good = vectors[file].filter((vector) => (vector.error ?? 'OK') === 'OK').slice(0, 3);
  await ok(`${file}.json: any changed byte is refused`, () => {
    if (good.length === 0) throw new Error('there is no good vector');
    for (const vector of good)
      for (const member of members) {
        const bytes = hex(vector[member]);
        for (let at = 0; at < bytes.length; at++) {
          bytes[at] ^= 1;
          refused(() => judge[file]({ ...vector, [member]: bytes.toString('hex') }), `byte ${at} of ${member}`);
          bytes[at] ^= 1;
        }
      }
  });
}
await ok('dual.json: halves of two purchases do not fit together', () => {
  const [good] = vectors.dual;
  const other = { ...good, oi: good.oi.replace(/^0a10../, '0a1000') };
  other.oimd = setpay.H('oi', hex(other.oi_salt), hex(other.oi)).toString('hex');
  other.pomd = setpay.H('po', 1, hex(other.pimd), hex(other.oimd)).toString('hex');
  refused(() => judge.dual(other), 'another order with its own digests');
});
done();
