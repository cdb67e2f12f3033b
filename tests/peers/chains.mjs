// Every certificate and revocation list of a sandbox, by @peculiar/x509: the chain of each leaf up to the root, what
// docs/protocol.md ("Certificates") says of its profile, and what travelled of them beside messages.
//
//   node chains.mjs SANDBOX CERTIFICATES CAPTURE    a line of CERTIFICATES: {profile, brand, der (hex)}
//
// REVOKED: the serial number of a card of visa's that was revoked; no other may be.
import 'reflect-metadata';
import { AsnConvert } from '@peculiar/asn1-schema';
import { CRLNumber, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import * as asn1js from 'asn1js';
import { webcrypto } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { done, is, ok } from './tap.mjs';
import { unpack } from './verify.mjs';

x509.cryptoProvider.set(webcrypto);
const [sandbox, certificatesFile, capture] = process.argv.slice(2);
const now = new Date();
const DAY = 86400000;
const { digitalSignature, nonRepudiation, keyAgreement, keyCertSign, cRLSign } = x509.KeyUsageFlags;
const [documentSigning, clientAuth, serverAuth] = ['1.3.6.1.5.5.7.3.36', '1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'];
// 2.25.292021134882307325024840491501456023928.1, as asn1js shows arcs of more than 53 bits: by their 7-bit groups.
const groups = (n) => (n < 128n ? '' : groups(n >> 7n)) + (n & 127n).toString(16).padStart(2, '0');
const envelope = `2.25.{${groups(292021134882307325024840491501456023928n)}}.1`;

// The table of the page: issuer, the bit of certificateType, key usage, extended key usages, days at most.
const PROFILES = {
  'cardholder-sign': ['cca', 0, digitalSignature | nonRepudiation, [documentSigning, clientAuth], 6 * 366],
  'merchant-sign': ['mca', 1, digitalSignature, [documentSigning], 825],
  'merchant-tls-client': ['mca', 1, digitalSignature, [clientAuth], 398],
  'merchant-tls-server': ['mca', 1, digitalSignature, [serverAuth], 398],
  'gateway-sign': ['pca', 2, digitalSignature, [documentSigning], 825],
  'gateway-encrypt': ['pca', 2, keyAgreement, [envelope], 90],
  'gateway-tls-server': ['pca', 2, digitalSignature, [serverAuth], 398],
};
// Path length, the bit of certificateType, days that a revocation list lives at most.
const AUTHORITIES = { root: [2, 8, 366], brand: [1, 7, 32], cca: [0, 3, 1], mca: [0, 4, 1], pca: [0, 5, 1] };

const pem = (name) => new x509.X509Certificate(readFileSync(`${sandbox}/ca/certificates/${name}.pem`, 'utf8'));
const names = readdirSync(`${sandbox}/ca/certificates`)
  .filter((name) => name.endsWith('.pem'))
  .map((name) => name.slice(0, -4));
const authorities = Object.fromEntries(names.map((name) => [name, pem(name)]));
const kind = (name) => name.split('.').at(-1);
const leaves = readFileSync(certificatesFile, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .filter(({ profile }) => profile in PROFILES)
  .map((leaf) => ({ ...leaf, certificate: new x509.X509Certificate(Buffer.from(leaf.der, 'hex')) }));
const builder = new x509.X509ChainBuilder({ certificates: Object.values(authorities) });

const bits = (certificate) => {
  const extension = certificate.getExtension('2.23.42.7.1');
  is(extension.critical, false, 'certificateType is critical');
  const { result, offset } = asn1js.fromBER(extension.value);
  is(offset, extension.value.byteLength, 'certificateType is a BIT STRING and nothing else');
  const text = [...new Uint8Array(result.valueBlock.valueHexView)]
    .map((b) => b.toString(2).padStart(8, '0'))
    .join('');
  return [...text].flatMap((bit, at) => (bit === '1' ? [at] : []));
};
const text = (name, field) => name.getField(field);

await ok('there are leaves of every profile, and of every brand all authorities', () => {
  is([...new Set(leaves.map(({ profile }) => profile))].sort(), Object.keys(PROFILES).sort());
  is(
    names.sort(),
    [
      'root',
      ...['mastercard', 'visa'].flatMap((b) => ['brand', 'cca', 'mca', 'pca'].map((k) => `${b}.${k}`)),
    ].sort(),
  );
});

for (const { certificate, profile, brand } of leaves) {
  const [O, OU, CN] = ['O', 'OU', 'CN'].map((field) => text(certificate.subjectName, field));
  await ok(`${profile}, ${O.join()} ${CN.join().slice(0, 20)}: chain, profile, names`, async () => {
    const [issuer, type, usage, usages, days] = PROFILES[profile];
    const chain = [...(await builder.build(certificate))];
    is(
      chain.map((one) => one.subject),
      [certificate, authorities[`${brand}.${issuer}`], authorities[`${brand}.brand`], authorities.root].map(
        (one) => one.subject,
      ),
      'the chain',
    );
    for (const [at, one] of chain.entries()) {
      is(
        await one.verify({ publicKey: chain[Math.min(at + 1, 3)].publicKey, date: now }),
        true,
        `${one.subject} verifies`,
      );
      is(one.publicKey.algorithm.namedCurve, 'P-256', 'curve');
    }
    const other = authorities[`${brand === 'visa' ? 'mastercard' : 'visa'}.${issuer}`];
    is(await certificate.verify({ publicKey: other.publicKey, date: now }), false, "under the other brand's CA");

    const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
    is([constraints?.ca ?? false, constraints?.critical ?? true], [false, true], 'CA');
    const keyUsage = certificate.getExtension(x509.KeyUsagesExtension);
    is([keyUsage.usages, keyUsage.critical], [usage, true], 'key usage');
    is([...certificate.getExtension(x509.ExtendedKeyUsageExtension).usages], usages, 'extended key usage');
    is(bits(certificate), [type], 'certificateType');
    is((certificate.notAfter - certificate.notBefore) / DAY <= days, true, `at most ${days} days`);
    is([O, OU, CN.length], [[brand], [profile.split('-')[0]], 1], 'subject');
    const alternative =
      certificate
        .getExtension(x509.SubjectAlternativeNameExtension)
        ?.names.items.map(({ type: of, value }) => `${of} ${value}`) ?? [];
    is(alternative, profile === 'merchant-tls-server' ? ['dns localhost'] : [], 'subject alternative names');
    if (profile === 'cardholder-sign') is(/^[0-9a-f]{64}$/.test(CN[0]), true, 'CN is a digest');
    const keyId = certificate.getExtension(x509.AuthorityKeyIdentifierExtension).keyId;
    is(keyId, chain[1].getExtension(x509.SubjectKeyIdentifierExtension).keyId, 'key identifiers');
  });
}

for (const [name, certificate] of Object.entries(authorities)) {
  await ok(`${name}: an authority with the right limits`, async () => {
    const [pathLength, type] = AUTHORITIES[kind(name)];
    const parent =
      name === 'root' || kind(name) === 'brand' ? authorities.root : authorities[`${name.split('.')[0]}.brand`];
    is(await certificate.verify({ publicKey: parent.publicKey, date: now }), true, 'verifies');
    const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
    is(
      [constraints.ca, constraints.pathLength, constraints.critical],
      [true, pathLength, true],
      'basic constraints',
    );
    const keyUsage = certificate.getExtension(x509.KeyUsagesExtension);
    is([keyUsage.usages, keyUsage.critical], [keyCertSign | cRLSign, true], 'key usage');
    is(bits(certificate), [type], 'certificateType');
    const extension = certificate.getExtension('2.5.29.30');
    if (name === 'root') {
      is(extension, null, 'name constraints');
      return;
    }
    is(extension.critical, true, 'name constraints are critical');
    const { permittedSubtrees } = AsnConvert.parse(extension.value, NameConstraints);
    const permitted = [...permittedSubtrees]
      .map(({ base }) => base.directoryName)
      .filter(Boolean)
      .map((directory) => new x509.Name(AsnConvert.serialize(directory)).toString());
    is(permitted, [`O=${name.split('.')[0]}`], 'permitted names');
  });
}
await ok('every leaf and issuing CA lies inside its brand', () => {
  for (const { certificate, brand } of leaves)
    is(certificate.subject.startsWith(`O=${brand}, `), true, certificate.subject);
  for (const [name, { subject }] of Object.entries(authorities))
    if (name !== 'root') is(subject.startsWith(`O=${name.split('.')[0]}, `), true, subject);
});

for (const name of names) {
  await ok(`${name}: revocation list`, async () => {
    const raw = readFileSync(`${sandbox}/crls/${name}.crl`, 'utf8');
    const list = new x509.X509Crl(raw);
    const issuer = authorities[name];
    is(await list.verify({ publicKey: issuer.publicKey }), true, 'verifies');
    is(list.issuer, issuer.subject, 'issuer');
    for (const [other, { publicKey }] of Object.entries(authorities))
      if (other !== name) is(await list.verify({ publicKey }), false, `under the key of ${other}`);
    const changed = Buffer.from(list.rawData);
    changed[changed.length >> 1] ^= 1;
    let believed = false;
    try {
      believed = await new x509.X509Crl(changed).verify({ publicKey: issuer.publicKey });
    } catch {
      /* no list at all */
    }
    is(believed, false, 'with a changed byte');
    is(list.thisUpdate <= now && now < list.nextUpdate, true, 'this and next update');
    is((list.nextUpdate - list.thisUpdate) / DAY <= AUTHORITIES[kind(name)][2], true, 'how long it lives');
    const number = AsnConvert.parse(list.getExtension('2.5.29.20').value, CRLNumber).value;
    is(number >= 1, true, 'number');
    is(
      list.entries.map(({ serialNumber }) => serialNumber),
      name === 'visa.cca' ? [process.env.REVOKED] : [],
      'what it revokes',
    );
  });
}
await ok('what travelled beside messages is of these authorities, and never the root', async () => {
  const known = new Set(leaves.map(({ der }) => der));
  for (const [name, { rawData }] of Object.entries(authorities))
    if (name !== 'root') known.add(Buffer.from(rawData).toString('hex'));
  const bySubject = new Map(Object.values(authorities).map((one) => [one.subject, one]));
  const seen = { certificates: new Set(), crls: new Set() };
  for (const line of readFileSync(capture, 'utf8').trim().split('\n')) {
    const { bytes, link } = JSON.parse(line);
    if (!bytes || link === 'gateway-issuer') continue;
    const message = unpack('Message', Buffer.from(bytes, 'hex'));
    for (const member of ['certificates', 'crls']) for (const der of message[member] ?? []) seen[member].add(der);
  }
  is(seen.certificates.size > 4, true, 'some have travelled');
  for (const der of seen.certificates) is(known.has(der), true, `certificate ${der.slice(0, 80)}`);
  for (const der of seen.crls) {
    const list = new x509.X509Crl(Buffer.from(der, 'hex'));
    is(
      await list.verify({ publicKey: bySubject.get(list.issuer).publicKey }),
      true,
      `revocation list of ${list.issuer}`,
    );
  }
});
console.log(`# ${leaves.length} leaves, ${names.length} authorities and revocation lists`);
done();
