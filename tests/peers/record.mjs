// Stands between the parties of a sandbox and writes down every byte of their messages: HTTPS between wallet and
// merchant, frames over mutual TLS between merchant and gateway, ISO 8583 between gateway and issuer. It speaks TLS with
// node's own library and the sandbox's test keys, so that it is one more peer that setpay has to understand.
//
//   node record.mjs SANDBOX CAPTURE PORTS   until SIGTERM; PORTS gets the ports that it listens on
//
// A line of CAPTURE: {link, way: "request" or "answer", bytes (hex), and id (of a frame)}; {link, tls} for a connection.
// SIGUSR1 cuts the merchant off from the gateway, SIGUSR2 ends that.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

const [sandbox, capture, portsFile] = process.argv.slice(2);
const read = (name) => readFileSync(`${sandbox}/${name}`);
const port = Object.fromEntries(
  read('ports')
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split('=')),
);
const ca = read('ca/root.pem');
const minVersion = 'TLSv1.3';
const keys = (party, brand, purpose) => ({
  key: read(`${party}/${brand}/${purpose}.key`),
  cert: read(`${party}/${brand}/${purpose}.pem`),
});
const write = (line) => appendFileSync(capture, `${JSON.stringify(line)}\n`);
// A client that resumes a session is shown no certificates: they are those of the session's first connection.
const note = (link, socket) => {
  const { O, OU, CN } = socket.getPeerCertificate().subject ?? {};
  write({
    link,
    tls: socket.getProtocol(),
    cipher: socket.getCipher().name,
    peer: { O, OU, CN },
    authorized: socket.authorized,
    resumed: socket.isSessionReused(),
  });
};

// The frames of a stream: HEAD bytes of which the first LENGTH are the size of what follows them.
function frames(length, found) {
  let kept = Buffer.alloc(0);
  return (chunk) => {
    kept = Buffer.concat([kept, chunk]);
    while (kept.length >= length && kept.length >= length + kept.readUIntBE(0, length)) {
      const end = length + kept.readUIntBE(0, length);
      found(kept.subarray(length, end));
      kept = kept.subarray(end);
    }
  };
}
// Passes on what comes from either side; when one goes, the other goes.
function join(client, server, onRequest, onAnswer) {
  for (const [from, to, look] of [
    [client, server, onRequest],
    [server, client, onAnswer],
  ]) {
    from.on('data', (chunk) => {
      look(chunk);
      to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
}

// ---- wallet and merchant
const agent = new https.Agent({ keepAlive: true, ca, minVersion });
const shop = https.createServer({ ...keys('merchant', 'visa', 'tls-server'), minVersion }, (asked, answer) => {
  const body = [];
  asked
    .on('data', (chunk) => body.push(chunk))
    .on('end', () => {
      const bytes = Buffer.concat(body);
      write({
        link: 'wallet-merchant',
        way: 'request',
        bytes: bytes.toString('hex'),
        method: asked.method,
        path: asked.url,
        contentType: asked.headers['content-type'],
      });
      const headers = { 'content-type': asked.headers['content-type'], 'content-length': bytes.length };
      const ask = https.request(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port: port.merchant_port,
          agent,
          method: asked.method,
          path: asked.url,
          headers,
        },
        (answered) => {
          const parts = [];
          note('wallet-merchant', answered.socket);
          answered
            .on('data', (chunk) => parts.push(chunk))
            .on('end', () => {
              const back = Buffer.concat(parts);
              write({
                link: 'wallet-merchant',
                way: 'answer',
                bytes: back.toString('hex'),
                status: answered.statusCode,
                contentType: answered.headers['content-type'],
              });
              answer.writeHead(answered.statusCode, { 'content-type': answered.headers['content-type'] }).end(back);
            });
        },
      );
      ask.on('error', () => answer.destroy());
      ask.end(bytes);
    });
});

// ---- merchant and gateway: the brand is the name in the handshake, and no DNS name
let cut = false;
const between = new Set();
const contexts = Object.fromEntries(
  ['visa', 'mastercard'].map((brand) => [
    brand,
    tls.createSecureContext({ ...keys('gateway', brand, 'tls-server'), ca, minVersion }),
  ]),
);
const gateway = tls.createServer(
  {
    ca,
    minVersion,
    requestCert: true,
    rejectUnauthorized: true,
    SNICallback: (brand, give) => give(contexts[brand] ? null : new Error('unknown brand'), contexts[brand]),
  },
  (client) => {
    const brand = client.servername;
    if (cut) {
      client.destroy();
      return;
    }
    note('merchant-gateway', client);
    const server = tls.connect(
      {
        host: '127.0.0.1',
        port: port.gateway_port,
        servername: brand,
        ...keys('merchant', brand, 'tls-client'),
        ca,
        minVersion,
        checkServerIdentity: (_name, { subject }) =>
          subject.O === brand && subject.OU === 'gateway' ? undefined : new Error('not the gateway of the brand'),
      },
      () => note('merchant-gateway', server),
    );
    for (const socket of [client, server]) {
      between.add(socket);
      socket.on('close', () => between.delete(socket));
    }
    const frame = (way) =>
      frames(4, (bytes) =>
        write({
          link: 'merchant-gateway',
          way,
          brand,
          id: bytes.subarray(0, 8).toString('hex'),
          bytes: bytes.subarray(8).toString('hex'),
        }),
      );
    join(client, server, frame('request'), frame('answer'));
  },
);
gateway.on('tlsClientError', () => {});
process.on('SIGUSR1', () => {
  cut = true;
  for (const socket of between) socket.destroy();
});
process.on('SIGUSR2', () => {
  cut = false;
});

// ---- gateway and issuer
const issuer = net.createServer((client) => {
  const server = net.connect(port.issuer_port, '127.0.0.1');
  const frame = (way) =>
    frames(2, (bytes) =>
      write({
        link: 'gateway-issuer',
        way,
        mti: bytes.toString('latin1', 0, 4),
        bytes: bytes.toString('hex'),
      }),
    );
  join(client, server, frame('request'), frame('answer'));
});

const listening = [shop, gateway, issuer].map(
  (server) => new Promise((then) => server.listen(0, '127.0.0.1', then)),
);
await Promise.all(listening);
writeFileSync(capture, '');
writeFileSync(
  `${portsFile}.new`,
  JSON.stringify({
    merchant: shop.address().port,
    gateway: gateway.address().port,
    issuer: issuer.address().port,
  }),
);
renameSync(`${portsFile}.new`, portsFile);
process.on('SIGTERM', () => process.exit(0));
