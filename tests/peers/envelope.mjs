// Opens the gateway's envelope, CMS AuthEnvelopedData, on asn1js and node:crypto: written from docs/protocol.md
// ("The envelope") and the RFCs that it names (5083 and 5084 for the outside, 5753 for the key). Any other form throws.
import * as asn1js from 'asn1js';
import { createDecipheriv, createHash, createPublicKey, diffieHellman } from 'node:crypto';
import { refuse } from './verify.mjs';

const OID = {
  authEnvelopedData: '1.2.840.113549.1.9.16.1.23',
  data: '1.2.840.113549.1.7.1',
  ecPublicKey: '1.2.840.10045.2.1',
  stdDhSha256: '1.3.132.1.11.1', // dhSinglePass-stdDH-sha256kdf-scheme
  aes256Wrap: '2.16.840.1.101.3.4.1.45',
  aes256Gcm: '2.16.840.1.101.3.4.1.46',
};
const [UNIVERSAL, CONTEXT] = [1, 3];
const tag = { integer: 2, bits: 3, octets: 4, oid: 6, sequence: 16, set: 17 };

const bytes = (element) => Buffer.from(element.valueBlock.valueHexView);
const der = (element) => Buffer.from(element.valueBeforeDecodeView);
// What stands in a SEQUENCE, SET or [n], when it is one and holds so many elements.
function inside(element, wanted, count, tagClass = UNIVERSAL) {
  const { tagNumber, tagClass: found, isConstructed } = element?.idBlock ?? {};
  if (found !== tagClass || tagNumber !== wanted || !isConstructed) refuse('another structure');
  if (element.valueBlock.value.length !== count)
    refuse(`${element.valueBlock.value.length} elements, not ${count}`);
  return element.valueBlock.value;
}
function primitive(element, wanted, tagClass = UNIVERSAL) {
  const { tagNumber, tagClass: found, isConstructed } = element?.idBlock ?? {};
  if (found !== tagClass || tagNumber !== wanted || isConstructed) refuse('another structure');
  return element;
}
const number = (element, value) =>
  bytes(primitive(element, tag.integer)).equals(Buffer.from([value])) || refuse(`not ${value}`);
const oid = (element, value) =>
  primitive(element, tag.oid).valueBlock.toString() === value || refuse(`not ${value}`);

// plaintext, from DER; certificate: the recipient's, which the envelope must name.
export function openEnvelope(envelope, privateKey, certificate) {
  const top = asn1js.fromBER(envelope);
  if (top.offset !== envelope.length) refuse('not DER, or something behind it');
  if (!Buffer.from(top.result.toBER()).equals(envelope)) refuse('not DER');
  const [type, explicit] = inside(top.result, tag.sequence, 2);
  oid(type, OID.authEnvelopedData);
  // Four: no originatorInfo, no attributes, authenticated or not.
  const [version, recipients, content, mac] = inside(inside(explicit, 0, 1, CONTEXT)[0], tag.sequence, 4);
  number(version, 0);

  const agreement = inside(inside(recipients, tag.set, 1)[0], 1, 4, CONTEXT); // kari, without ukm
  number(agreement[0], 3);
  const [keyType, point] = inside(inside(agreement[1], 0, 1, CONTEXT)[0], 1, 2, CONTEXT);
  oid(inside(keyType, tag.sequence, 1)[0], OID.ecPublicKey);
  const [scheme, wrap] = inside(agreement[2], tag.sequence, 2);
  oid(scheme, OID.stdDhSha256);
  oid(inside(wrap, tag.sequence, 1)[0], OID.aes256Wrap);
  const [recipient, wrapped] = inside(inside(agreement[3], tag.sequence, 1)[0], tag.sequence, 2);
  isFor(recipient, certificate);

  const [contentType, algorithm, ciphertext] = inside(content, tag.sequence, 3);
  oid(contentType, OID.data);
  const [cipher, parameters] = inside(algorithm, tag.sequence, 2);
  oid(cipher, OID.aes256Gcm);
  const [nonce, tagLength] = inside(parameters, tag.sequence, 2);
  const icv = bytes(primitive(mac, tag.octets));
  number(tagLength, 16);
  if (bytes(primitive(nonce, tag.octets)).length !== 12 || icv.length !== 16)
    refuse('nonce or tag of another length');

  const kek = deriveKek(agree(privateKey, bytes(primitive(point, tag.bits))), der(wrap));
  const unwrap = createDecipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6));
  const key = Buffer.concat([unwrap.update(bytes(primitive(wrapped, tag.octets))), unwrap.final()]);
  const open = createDecipheriv('aes-256-gcm', key, bytes(nonce), { authTagLength: 16 }).setAuthTag(icv);
  return Buffer.concat([open.update(bytes(primitive(ciphertext, 0, CONTEXT))), open.final()]);
}

// IssuerAndSerialNumber of that certificate.
function isFor(recipient, certificate) {
  const [issuer, serial] = inside(recipient, tag.sequence, 2);
  const tbs = inside(asn1js.fromBER(certificate).result, tag.sequence, 3)[0].valueBlock.value;
  if (!der(tbs[1]).equals(der(serial)) || !der(tbs[3]).equals(der(issuer))) refuse('for another recipient');
}

function agree(privateKey, point) {
  if (point.length !== 65 || point[0] !== 4) refuse('the ephemeral key is no point of P-256');
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((c) => c.toString('base64url'));
  return diffieHellman({
    privateKey,
    publicKey: createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x, y } }),
  });
}

// ANSI X9.63, with ECC-CMS-SharedInfo (RFC 5753, 7.2): which cipher the key is for, and its length in bits.
function deriveKek(shared, wrap) {
  const info = new asn1js.Sequence({
    value: [
      asn1js.fromBER(wrap).result,
      new asn1js.Constructed({
        idBlock: { tagClass: CONTEXT, tagNumber: 2 },
        value: [new asn1js.OctetString({ valueHex: Buffer.from([0, 0, 1, 0]) })],
      }),
    ],
  });
  return createHash('sha256')
    .update(shared)
    .update(Buffer.from([0, 0, 0, 1]))
    .update(Buffer.from(info.toBER()))
    .digest();
}
