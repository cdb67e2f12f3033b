// A second opinion on setpay's bytes: written from docs/protocol.md and the .proto files it points to, on node:crypto
// alone, without a look at the C code. Whatever is not as the page says throws.
import { createDecipheriv, createHash, createHmac, hkdfSync, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const refuse = (why) => { throw new Error(why); };
const same = (a, b, what) => Buffer.compare(a, b) === 0 || refuse(`${what} differs`);

// ---- hashes, signatures, receipts
const len64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; };
const bytesOf = (part) => (typeof part === 'number' ? len64(part) : Buffer.from(part));
const framed = (part) => [len64(bytesOf(part).length), bytesOf(part)];
export const thumbprint = (der) => createHash('sha256').update(der).digest();
export const H = (tag, ...parts) =>
  thumbprint(Buffer.concat([Buffer.from(`setpay/1 ${tag}\0`), ...parts.flatMap(framed)]));
export const requestHash = (type, suite, signer, content) => H('req', type, suite, signer, content);
export const account = (pan, expiry, secret) =>
  createHmac('sha256', secret).update(Buffer.concat([pan, expiry].flatMap(framed))).digest();

export function verifySignature(certificate, type, suite, signer, content, signature) {
  if (suite !== 1) refuse('unknown suite');
  same(signer, thumbprint(certificate), 'signer');
  const key = new X509Certificate(certificate).publicKey;
  verify('sha256', H(`sig:${type}`, suite, signer, content), key, signature) || refuse('the signature does not verify');
}

// half: what the merchant knows, {oi, oi_salt, pimd}, or the gateway, {pi, pi_salt, oimd}.
export function verifyDual(certificate, half, dualSignature) {
  const oimd = half.oimd ?? H('oi', half.oi_salt, half.oi);
  const pimd = half.pimd ?? H('pi', half.pi_salt, half.pi);
  const pomd = H('po', 1, pimd, oimd);
  verifySignature(certificate, 'DS', 1, thumbprint(certificate), pomd, dualSignature);
  return { oimd, pimd, pomd };
}

export function openReceipt(backKey, receiptId, xid, kind, sealed) {
  const info = H('receipt', xid, kind.toLowerCase());
  const keys = Buffer.from(hkdfSync('sha256', backKey, receiptId, info, 44));
  const open = createDecipheriv('aes-256-gcm', keys.subarray(0, 32), keys.subarray(32), { authTagLength: 16 });
  open.setAAD(info).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([open.update(sealed.subarray(0, -16)), open.final()]);
}

// ---- messages as JSON, bytes in hex; their fields, numbers and lengths are read from the .proto files
const tree = process.env.SETPAY_TREE ?? new URL('../..', import.meta.url).pathname;
export const messages = {}, enums = {};
for (const file of ['message', 'payment']) {
  let open;
  for (const line of readFileSync(`${tree}/proto/setpay/v1/${file}.proto`, 'utf8').split('\n')) {
    let m;
    if ((m = /^message (\w+)/.exec(line))) open = messages[m[1]] = [];
    else if ((m = /^enum (\w+)/.exec(line))) open = enums[m[1]] = {};
    else if ((m = /^ +(\w+) = (\d+);/.exec(line))) open[m[1]] = Number(m[2]);
    else if ((m = /^ +(\w+) (\w+) (\w+) = (\d+);(?:\s*\/\/ (?:(\d+)(?: each|[:,]|$))?)?/.exec(line)))
      open.push({ rule: m[1], type: m[2], name: m[3], number: Number(m[4]), length: Number(m[5]) });
  }
}
const contents = { InqRes: 'PRes', CanRes: 'PRes' };
for (const pair of ['Cap', 'CapRev', 'Cred', 'CredRev'])
  Object.assign(contents, { [`${pair}Req`]: 'StepReq', [`${pair}Res`]: 'StepRes' });
export const contentOf = (type) => contents[type] ?? type;
export const TYPES = Object.fromEntries(Object.keys(enums.MessageType).map((name) => // P_REQ: PReq
  [name, [...Object.keys(contents), ...Object.keys(messages)].find((m) => m.toUpperCase() === name.replaceAll('_', ''))]));

const party = /^[\w-]{1,32}$/, code = /^[A-Za-z0-9]$/, currencies = Intl.supportedValuesOf('currency');
const TEXTS = {
  brand: /^[a-z0-9-]{1,32}$/, merchant_id: party, gateway_id: party, receiver_name: /^[\w.-]{1,253}$/,
  order_token: /^[\w-]{16,64}$/, language: /^[A-Za-z0-9-]{1,35}$/, action_code: /^[A-Za-z0-9]{2}$/, avs_result: code,
  security_code_result: code, approval_code: /^[A-Za-z0-9 ]{6}$/, house_digits: /^\d{1,8}$/,
  currency: { test: (text) => currencies.includes(text) }, pan: /^\d{12,19}$/, expiry: /^\d\d(0[1-9]|1[0-2])$/,
  security_code: /^\d{3,4}$/,
};
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const isFramed = (type) => type in messages || type === 'bytes' || type === 'string';

export function unpack(name, bytes) {
  const fields = parse(name, bytes);
  same(pack(name, fields), bytes, 'the canonical form'); // rule A1: what is unpacked and packed again is the same
  return fields;
}
function parse(name, bytes) {
  const out = {};
  let at = 0;
  const varint = () => {
    for (let n = 0n, shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) refuse('cut off');
      n |= BigInt(bytes[at] & 0x7f) << shift;
      if (bytes[at++] < 0x80) return Number(n);
    }
    return refuse('a number is too long');
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = messages[name].find((f) => f.number === Math.floor(tag / 8)) ?? refuse('unknown field');
    if (tag % 8 !== (isFramed(field.type) ? 2 : 0)) refuse(`${field.name}: wire type`);
    let value = varint();
    if (isFramed(field.type)) {
      if (value > bytes.length - at) refuse('cut off');
      value = bytes.subarray(at, at += value);
    }
    value = checked(field, value);
    if (field.rule === 'repeated') (out[field.name] ??= []).push(value);
    else out[field.name] = value;
  }
  for (const f of messages[name]) if (f.rule === 'required' && !(f.name in out)) refuse(`${f.name} is missing`);
  return out;
}
function checked({ type, name, length }, value) {
  if (type in messages) return parse(type, value);
  const named = (of) => Object.keys(of).find((k) => of[k] === value);
  if (type in enums) return named(enums[type]) ?? refuse(`${name} is unknown`);
  if (type === 'bool') return value === 1;
  if (!isFramed(type)) return value;
  if (type === 'bytes' && length && value.length !== length) refuse(`${name} has another length`);
  const text = type === 'bytes' ? value.toString('latin1') : utf8.decode(value);
  const wrong = name in TEXTS ? !TEXTS[name].test(text) : type === 'string' && /\p{Cc}|^$/u.test(text);
  if (wrong) refuse(`${name} has another form`);
  return type === 'bytes' ? value.toString('hex') : text;
}

const number = (n) => (n < 128 ? [Number(n)] : [Number(BigInt(n) & 127n) | 128, ...number(BigInt(n) >> 7n)]);
export function pack(name, fields) {
  const one = ({ type, number: at }, value) => {
    if (!isFramed(type)) return [...number(at * 8), ...number(type in enums ? enums[type][value] : value)];
    const bytes = type in messages ? pack(type, value) : Buffer.from(value, type === 'bytes' ? 'hex' : 'utf8');
    return [...number(at * 8 + 2), ...number(bytes.length), ...bytes];
  };
  const present = [...messages[name]].sort((a, b) => a.number - b.number).filter((f) => f.name in fields);
  return Buffer.from(present.flatMap((f) => [fields[f.name]].flat().flatMap((value) => one(f, value))));
}
