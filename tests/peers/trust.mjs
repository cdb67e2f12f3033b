// Which certificates a wallet believes (rule A3), written from docs/protocol.md ("Certificates") on @peculiar/x509:
// chain, profile, names, validity and revocation lists, for one root. Whatever does not hold throws.
import 'reflect-metadata';
import { AsnConvert } from '@peculiar/asn1-schema';
import { CRLNumber } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { refuse, thumbprint } from './verify.mjs';

x509.cryptoProvider.set(webcrypto);
const { digitalSignature, nonRepudiation, keyAgreement, keyCertSign, cRLSign } = x509.KeyUsageFlags;
const [documentSigning, clientAuth, serverAuth] = ['1.3.6.1.5.5.7.3.36', '1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'];
const SEAL = /^2\.25\.\{?[0-9a-f]+\}?\.1$/; // of setpay's own arc, however the library writes its 128 bits
// Issuer, certificateType's value as a BIT STRING with one bit, key usage, extended key usages.
const PROFILES = {
  'cardholder-sign': ['cca', 0, digitalSignature | nonRepudiation, [documentSigning, clientAuth]],
  'merchant-sign': ['mca', 1, digitalSignature, [documentSigning]],
  'merchant-tls-server': ['mca', 1, digitalSignature, [serverAuth]],
  'gateway-sign': ['pca', 2, digitalSignature, [documentSigning]],
  'gateway-encrypt': ['pca', 2, keyAgreement, [SEAL]],
};
const ROLES = { cca: 'cardholder-ca', mca: 'merchant-ca', pca: 'gateway-ca' };
const TYPES = { root: 8, brand: 7, cca: 3, mca: 4, pca: 5 };
const HOURS = { root: 366 * 24, brand: 32 * 24, cca: 24, mca: 24, pca: 24 };

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const same = (a, b, what) => JSON.stringify(a) === JSON.stringify(b) || refuse(`${what}: ${a}, expected ${b}`);
// DER of a BIT STRING with that one bit.
const oneBit = (bit) => {
  const bytes = Buffer.alloc((bit >> 3) + 1);
  bytes[bit >> 3] = 0x80 >> (bit & 7);
  return hex(Buffer.concat([Buffer.from([3, bytes.length + 1, 7 - (bit & 7)]), bytes]));
};

export class Trust {
  constructor(rootDer) {
    this.root = new x509.X509Certificate(rootDer);
    this.certificates = new Map(); // by thumbprint, in hex
    this.lists = new Map(); // newest that verifies, by issuer's name
    this.authorities = new Map([[this.root.subject, this.root]]);
  }

  // What came beside a message, in hex: believed only when a chain is asked for.
  learn(certificates = [], crls = []) {
    for (const one of certificates) {
      const der = Buffer.from(one, 'hex');
      this.certificates.set(hex(thumbprint(der)), der);
      const parsed = new x509.X509Certificate(der);
      if (parsed.getExtension(x509.BasicConstraintsExtension)?.ca) this.authorities.set(parsed.subject, parsed);
    }
    for (const one of crls) {
      const list = new x509.X509Crl(Buffer.from(one, 'hex'));
      const known = this.lists.get(list.issuer);
      if (!known || number(list) > number(known)) this.lists.set(list.issuer, list);
    }
  }

  find(thumb) {
    return this.certificates.get(thumb);
  }

  nameOf(der) {
    const { subjectName } = new x509.X509Certificate(der);
    const [O, OU, CN] = ['O', 'OU', 'CN'].map((field) => subjectName.getField(field));
    if (O.length !== 1 || OU.length !== 1 || CN.length !== 1) refuse('another subject');
    return { O: O[0], OU: OU[0], CN: CN[0] };
  }

  // The thumbs of a PInitReq: authorities and lists, and of leaves none but merchants' and gateways'.
  thumbs() {
    const authorities = [...this.authorities.values()].filter((one) => one !== this.root);
    return [...authorities, ...this.lists.values()].map(({ rawData }) => hex(thumbprint(Buffer.from(rawData))));
  }

  // lists: as rule A3 wants it, by current revocation lists; without, for what was signed at a date long over.
  async believe(der, profile, brand, now = new Date(), lists = true) {
    const leaf = new x509.X509Certificate(der);
    const [kind, type, usage, usages] = PROFILES[profile];
    const issuing = this.authorities.get(leaf.issuer) ?? refuse(`nobody knows ${leaf.issuer}`);
    const brandCa = this.authorities.get(issuing.issuer) ?? refuse(`nobody knows ${issuing.issuer}`);
    same(brandCa.issuer, this.root.subject, 'the brand is of the root');
    const chain = [leaf, issuing, brandCa, this.root];
    for (const [at, one] of chain.entries())
      if (!(await one.verify({ publicKey: chain[Math.min(at + 1, 3)].publicKey, date: now })))
        refuse(`${one.subject} does not verify, or not now`);

    const { O, OU } = this.nameOf(der);
    same([O, OU], [brand, profile.split('-')[0]], 'brand and role');
    for (const ca of [issuing, brandCa]) same(this.nameOf(ca.rawData).O, brand, 'brand of an authority');
    same(this.nameOf(issuing.rawData).OU, ROLES[kind], 'the issuing authority');
    if (leaf.getExtension(x509.BasicConstraintsExtension)?.ca !== false) refuse('a leaf that is a CA, or does not say');
    this.hold(leaf, type, usage);
    const found = [...leaf.getExtension(x509.ExtendedKeyUsageExtension).usages];
    same(found.length, usages.length, 'extended key usages');
    for (const [at, one] of usages.entries())
      if (one instanceof RegExp ? !one.test(found[at]) : one !== found[at]) refuse(`extended key usage ${found[at]}`);

    for (const [at, name] of [kind, 'brand', 'root'].entries()) {
      const authority = chain[at + 1];
      const { pathLength } = authority.getExtension(x509.BasicConstraintsExtension);
      same(pathLength, at, `path length of ${authority.subject}`);
      this.hold(authority, TYPES[name], keyCertSign | cRLSign);
      if (lists) await this.notRevoked(chain[at], authority, HOURS[name], now);
    }
  }

  hold(certificate, type, usage) {
    const certificateType = certificate.getExtension('2.23.42.7.1') ?? refuse('no certificateType');
    same([hex(certificateType.value), certificateType.critical], [oneBit(type), false], 'certificateType');
    const keyUsage = certificate.getExtension(x509.KeyUsagesExtension);
    same([keyUsage.usages, keyUsage.critical], [usage, true], 'key usage');
    same(certificate.publicKey.algorithm.namedCurve, 'P-256', 'curve');
  }

  async notRevoked(certificate, issuer, hours, now) {
    const list = this.lists.get(issuer.subject) ?? refuse(`no revocation list of ${issuer.subject}`);
    if (!(await list.verify({ publicKey: issuer.publicKey }))) refuse('a revocation list does not verify');
    if (list.thisUpdate > now || list.nextUpdate < now) refuse('a revocation list is not current');
    if (list.nextUpdate - list.thisUpdate > hours * 3600000) refuse('a revocation list lives too long');
    if (list.entries.some(({ serialNumber }) => serialNumber === certificate.serialNumber))
      refuse(`${certificate.subject} is revoked`);
  }
}
const number = (list) => AsnConvert.parse(list.getExtension('2.5.29.20').value, CRLNumber).value;
