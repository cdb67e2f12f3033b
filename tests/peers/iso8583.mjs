// ISO 8583 by iso_8583 from npm, with the field formats that docs/iso8583.md lists: it reads what gateway and issuer
// exchanged and packs it to the same bytes; and what it packs itself is taken by setpay-issuersim.
//
//   node iso8583.mjs CAPTURE ISSUER_ADDRESS
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { checked, codec, functions, page } from './library8583.mjs';
import { done, is, ok, tally } from './tap.mjs';
import * as setpay from './verify.mjs';

const [capture, address] = process.argv.slice(2);

// The formats are those of the page.
const { formats, where } = page();
const Codec = codec(formats);
const { read, pack } = functions(Codec);

const lines = readFileSync(capture, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .filter((line) => line.bytes);
const exchanged = lines.filter((line) => line.link === 'gateway-issuer');
const messages = [];

await ok('the page has a format for each of 37 fields', () => is(Object.keys(formats).length, 37));
await ok('all that gateway and issuer exchanged: read, and packed to the same bytes', () => {
  for (const { bytes, way } of exchanged) {
    const message = read(Buffer.from(bytes, 'hex'));
    is(pack(message).toString('hex'), bytes, `${message[0]}, packed again`);
    messages.push({ ...message, way });
  }
});
tally('captured messages read by others', messages.length);
const of = (...types) => messages.filter((message) => types.includes(message[0]));
const seen = (field, ...types) => [...new Set(of(...types).map((message) => message[field]))].sort();

await ok('requests, answers, reversals, their repeats, sign-ons and echoes were among them', () => {
  is([...new Set(messages.map((message) => message[0]))].sort(), [
    '0100',
    '0110',
    '0400',
    '0401',
    '0410',
    '0800',
    '0810',
  ]);
  is(seen(39, '0110'), ['00', '05', '10'], 'approved, declined, approved in part');
  is(seen(70, '0800'), ['001', '301'], 'sign-on and echo');
  is(
    seen(44, '0110').includes('NU') || seen(44, '0110').some((text) => text?.startsWith('N')),
    true,
    'an address that does not fit',
  );
});
await ok('no field stands where the page has none', () => {
  const letter = { '0100': 'r', '0110': 'R', '0400': 'v', '0401': 'v', '0410': 'V', '0800': 'm', '0810': 'M' };
  for (const { way, ...message } of messages)
    for (const field of Object.keys(message).filter((one) => one !== '0'))
      is(where[field].includes(letter[message[0]]), true, `field ${field} in ${message[0]} (${way})`);
});
await ok('an answer bears the fields of its request that the page gives to both', () => {
  const key = (message) => [7, 11, 12, 13].map((field) => message[field]).join();
  const asked = new Map(messages.filter(({ way }) => way === 'request').map((message) => [key(message), message]));
  for (const message of messages.filter(({ way }) => way === 'answer')) {
    const request = asked.get(key(message));
    for (const field of [3, 32, 37, 41, 42, 49, 70, 90])
      is(message[field], request[field], `field ${field} of ${message[0]}`);
    if (message[39] !== '10') is(message[4], request[4], `field 4 of ${message[0]}`);
  }
});
await ok('a reversal names its original in field 90', () => {
  for (const reversal of of('0400', '0401')) {
    const original = of('0100').find((message) => message[126] === reversal[126]);
    is(reversal[90], `0100${original[11]}${original[7]}${original[32].padStart(11, '0')}${'0'.repeat(11)}`);
    is(reversal[37], original[37], 'field 37');
  }
});
await ok('fields 126 and 127 are the xid and POMD of what merchant and gateway said', () => {
  const pomds = new Map();
  for (const { bytes } of lines.filter(({ link, way }) => link === 'merchant-gateway' && way === 'request')) {
    const { signed } = setpay.unpack('Message', Buffer.from(bytes, 'hex'));
    if (signed.type !== 'AUTH_REQ') continue;
    const request = setpay.unpack('AuthReq', Buffer.from(signed.content, 'hex'));
    pomds.set(
      request.xid,
      setpay.H('po', 1, Buffer.from(request.pimd, 'hex'), Buffer.from(request.oimd, 'hex')).toString('hex'),
    );
  }
  for (const message of of('0100', '0400', '0401')) is(message[127], pomds.get(message[126]), 'POMD');
});
await ok('the security code of the one that had it is in field 48', () => {
  is(of('0100').filter((message) => message[48].includes('9203123')).length, 1);
});

// ------------------------------------------------------------------ the simulator, asked by the library
// One connection; ask(MESSAGE) resolves with the answer, or with null when it was closed.
function connect() {
  const [host, port] = address.split(':');
  const socket = net.connect(Number(port), host);
  let kept = Buffer.alloc(0),
    closed = false;
  const waiting = [];
  socket.on('data', (chunk) => {
    kept = Buffer.concat([kept, chunk]);
    while (kept.length >= 2 && kept.length >= 2 + kept.readUInt16BE(0)) {
      const end = 2 + kept.readUInt16BE(0);
      waiting.shift()?.(checked(new Codec().getIsoJSON(kept.subarray(0, end))));
      kept = kept.subarray(end);
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    while (waiting.length) waiting.shift()(null);
  });
  const send = (frame) =>
    new Promise((then, fail) => {
      if (closed) {
        then(null);
        return;
      }
      waiting.push(then);
      setTimeout(() => fail(new Error('no answer within 20 s')), 20000).unref();
      socket.write(frame);
    });
  return { send, ask: (message) => send(checked(new Codec(message).getBufferMessage())), end: () => socket.end() };
}

let trace = 900000; // far from those of the gateway
const digits = () => new Date().toISOString().replace(/\D/g, ''); // YYYYMMDDhhmmss...
const stamp = () => {
  const now = digits();
  return { 7: now.slice(4, 14), 11: String(++trace), 12: now.slice(8, 14), 13: now.slice(4, 8) };
};
const network = (code) => ({ 0: '0800', ...stamp(), 70: code });
const model = of('0100')[0];
function authorisation(pan, amount) {
  const { way: _way, ...fields } = model;
  const now = stamp();
  return {
    ...fields,
    ...now,
    2: pan,
    4: String(amount).padStart(12, '0'),
    37: `${digits().slice(3, 4)}33011${now[11]}`,
    126: randomBytes(16).toString('hex'),
  };
}
function reversal(original, type, remains) {
  const {
    2: pan,
    3: code,
    4: amount,
    14: expiry,
    18: category,
    22: entry,
    25: condition,
    32: acquirer,
    37: reference,
    41: terminal,
    42: acceptor,
    43: name,
    49: currency,
    126: xid,
    127: pomd,
  } = original;
  return {
    0: type,
    2: pan,
    3: code,
    4: amount,
    ...stamp(),
    14: expiry,
    18: category,
    22: entry,
    25: condition,
    32: acquirer,
    37: reference,
    41: terminal,
    42: acceptor,
    43: name,
    49: currency,
    90: `0100${original[11]}${original[7]}${acquirer.padStart(11, '0')}${'0'.repeat(11)}`,
    ...(remains === undefined ? {} : { 95: `${String(remains).padStart(12, '0')}${'0'.repeat(30)}` }),
    126: xid,
    127: pomd,
  };
}
const line = connect();
const code = async (message, type) => {
  const answer = await line.ask(message);
  is(answer?.[0], type, 'the type of the answer');
  for (const field of [7, 11, 12, 13]) is(answer[field], message[field], `field ${field}`);
  return answer[39];
};

await ok('before the sign-on the simulator takes nothing else', async () => {
  const early = connect();
  const answer = await early.ask(authorisation('4242424242424242', 100));
  is(answer === null || answer[39] !== '00', true);
  early.end();
});
await ok('0800: sign-on and echo', async () => {
  is(await code(network('001'), '0810'), '00');
  is(await code(network('301'), '0810'), '00');
});
await ok('0100: approved with a code, declined without', async () => {
  const request = authorisation('4242424242424242', 1234);
  const answer = await line.ask(request);
  is(
    [answer[0], answer[39], answer[4], answer[37], answer[49]],
    ['0110', '00', request[4], request[37], request[49]],
  );
  is(/^[0-9A-Za-z]{6}$/.test(answer[38]), true, 'an approval code');
  is(await code(reversal(request, '0400'), '0410'), '00', '0400');
  is(await code(reversal(request, '0401'), '0410'), '00', '0401');
  const declined = await line.ask(authorisation('4000000000000002', 1234));
  is([declined[0], declined[39], declined[38]], ['0110', '05', undefined]);
});
await ok('0200: a sale, approved, taken back, and declined; and none without its id and period', async () => {
  const sale = (pan) => {
    const request = authorisation(pan, 1234);
    return { ...request, 0: '0200', 48: `${request[48]}9332${randomBytes(16).toString('hex')}94011` };
  };
  const request = sale('4242424242424242');
  const answer = await line.ask(request);
  is([answer[0], answer[39], answer[4], answer[37]], ['0210', '00', request[4], request[37]]);
  is(/^[0-9A-Za-z]{6}$/.test(answer[38]), true, 'an approval code');
  const undo = reversal(request, '0400');
  is(await code({ ...undo, 48: '94011', 90: undo[90].replace(/^0100/, '0200') }, '0410'), '00', '0400');
  is(await code(sale('4000000000000002'), '0210'), '05');
  is(await code({ ...authorisation('4242424242424242', 300), 0: '0200' }, '0210'), '30');
});
await ok('0400 in part, then 0420, the advice, of all of it', async () => {
  const request = authorisation('5555555555554444', 2000);
  is(await code(request, '0110'), '00');
  is(await code(reversal(request, '0400', 500), '0410'), '00');
  is(await code(reversal(request, '0420'), '0430'), '00');
});
await ok('an authorisation that comes after its reversal holds nothing', async () => {
  const request = authorisation('4242424242424242', 300);
  is(await code(reversal(request, '0400'), '0410'), '00');
  is((await code(request, '0110')) !== '00', true);
});
await ok('what it does not do, it says', async () => {
  is(await code({ 0: '0520', ...stamp(), 97: `D${'0'.repeat(16)}` }, '0530'), '40');
});
await ok('a byte behind the last field closes the line', async () => {
  const frame = checked(new Codec(network('301')).getBufferMessage());
  const longer = Buffer.concat([frame, Buffer.from('0')]);
  longer.writeUInt16BE(longer.length - 2);
  is(await line.send(longer), null);
});
done();
process.exit();
