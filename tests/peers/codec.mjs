// Our codec of ISO 8583 and iso_8583 from npm take thousands of messages the same way: messages of every type, with
// every field at each of its edges, made by ours and read and packed again by the library; the same made by the library
// and read by ours; and what is not well-formed, refused by both where the library looks.
//
//   node codec.mjs PROGRAM SEED      PROGRAM is tests/integration/codec_corpus, built
//
// What the library does not look at: characters and ends of what it reads (it checks the type, and all that it packs).
// It knows no # @ \ in fields of type ans, and leaves out a field 127 of less than ten characters when it packs.
import { spawnSync } from 'node:child_process';
import { codec, functions, page } from './library8583.mjs';
import { done, is, ok, refused, tally } from './tap.mjs';

const [program, seed] = process.argv.slice(2);
console.log(`# seed ${seed}`);

// Ours, as a program: JSON lines, or bytes in hexadecimal.
function ours(args, lines = []) {
  const ran = spawnSync(program, args, { input: lines.map((line) => `${line}\n`).join(''), maxBuffer: 1 << 28 });
  if (ran.status !== 0) throw new Error(`${args[0]}: exit status ${ran.status}: ${ran.stderr}`);
  return ran.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line)
    .map((line) => JSON.parse(line));
}

const [table] = ours(['table']);
const numbers = Object.keys(table.fields);
const inWords = { n: 'n', an: 'anp', ans: 'ans', xn: 'x+n' }; // the library's an has no blank, its anp has
const formatsWith = (words) =>
  Object.fromEntries(
    numbers.map((field) => {
      const { type, length, max } = table.fields[field];
      return [field, { ContentType: words[type], Label: `field ${field}`, LenType: length, MaxLen: max }];
    }),
  );
const strict = functions(codec(formatsWith(inWords)));
const free = functions(codec(formatsWith({ ...inWords, ans: 'z' }))); // ans: any character
const packsWhole = (message) => message[127] === undefined || message[127].length >= 10;
const packed = (message) => (/[#@\\]/.test(Object.values(message).join('')) ? free : strict).pack(message);

await ok('the page gives its fields the forms that the codec has', () => {
  const { formats } = page();
  for (const [field, { ContentType, LenType, MaxLen }] of Object.entries(formats))
    is(
      { type: ContentType.replace('x+n', 'xn'), length: LenType, max: MaxLen },
      table.fields[field],
      `field ${field} of docs/iso8583.md`,
    );
});

const corpus = ours(['make', seed]);
await ok('made by ours: every type, every field, at each of five edges', () => {
  is(corpus.length, table.types.length * numbers.length * 5, 'messages');
  is([...new Set(corpus.map(({ message }) => message[0]))], table.types, 'types');
  for (const field of numbers) {
    const sizes = new Set(corpus.map(({ message }) => message[field]?.length));
    is(sizes.has(table.fields[field].max), true, `field ${field} at its full length`);
    is(sizes.has(1), table.fields[field].length !== 'fixed' || table.fields[field].max === 1, `field ${field} of one`);
  }
});
await ok('read by the library: the same fields', () => {
  for (const { bytes, message } of corpus) is(free.read(Buffer.from(bytes, 'hex')), message, bytes);
});
let again = 0;
await ok('packed by the library: the same bytes', () => {
  for (const { bytes, message } of corpus.filter(({ message }) => packsWhole(message))) {
    is(packed(message).toString('hex'), bytes, JSON.stringify(message));
    again++;
  }
  is(again > 3000, true, 'more than 3000 of them');
});

// ------------------------------------------------------------------ the other way
// A sequence by a seed (mulberry32's mixing), so that a failure can be had again.
let state = Number(seed) >>> 0;
function chance(below) {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const alphabets = {
  n: '0123456789',
  xn: '0123456789',
  an: `0123456789${letters} `,
  ans: `0123456789${letters} !"$%&'()*+,-./:;<=>?[]^_\`{|}~`,
};
function value(field) {
  const { type, length, max } = table.fields[field];
  const least = field === '127' ? 10 : 1;
  const size = length === 'fixed' ? max : [least, max, least + chance(max - least + 1)][chance(3)];
  const alphabet = alphabets[type];
  const text = Array.from({ length: size }, () => alphabet[chance(alphabet.length)]).join('');
  return type === 'xn' ? `${'CD'[chance(2)]}${text.slice(1)}` : text;
}
const made = [];
for (const type of table.types)
  for (let i = 0; i < 100; i++) {
    const message = { 0: type };
    const rate = 1 + chance(6);
    for (const field of numbers) if (chance(rate) === 0) message[field] = value(field);
    if (Object.keys(message).length === 1) message[11] = value('11');
    made.push(message);
  }
await ok('made and packed by the library: ours reads the same fields, and packs the same bytes', () => {
  const bytes = made.map((message) => strict.pack(message).toString('hex'));
  const got = ours(['unpack'], bytes);
  is(got.length, made.length, 'answers');
  got.forEach((one, i) => is(one, { message: made[i], bytes: bytes[i] }, `message ${i}`));
  const own = ours(
    ['pack'],
    made.map((message) => JSON.stringify(message)),
  );
  own.forEach((one, i) => is(one, { bytes: bytes[i] }, `message ${i}, packed by ours`));
});

// ------------------------------------------------------------------ what is not well-formed
// {message, error}: what ours says to it.
const wrong = [];
for (const field of numbers) {
  const { type, length, max } = table.fields[field];
  const good = value(field);
  const spoil = (text) => wrong.push({ message: { 0: '0100', [field]: text }, error: 'FIELD' });
  if (field !== '127') {
    // in that one the library looks at nothing
    spoil(`${good}${alphabets.n.repeat(100)}`.slice(0, max + 1).padEnd(max + 1, '0'));
    spoil(`${good.slice(0, -1)}\u00e9`);
    if (type === 'n' || type === 'xn') spoil(`${good.slice(0, -1)}A`);
    if (type === 'n' || type === 'xn') spoil(`${good.slice(0, -1)} `);
    if (type === 'an') spoil(`${good.slice(0, -1)}-`);
    if (type === 'xn') spoil(`E${good.slice(1)}`);
    if (length === 'fixed' && max > 1) spoil(good.slice(1));
    if (type !== 'xn') spoil(''); // over which the library falls
  }
}
for (const type of ['0000', '9999', '010', '01000', '0A00', '0190', ''])
  wrong.push({ message: { 0: type, 11: '000001' }, error: 'MESSAGE_TYPE' });

await ok('what is not well-formed is packed by neither', () => {
  const got = ours(
    ['pack'],
    wrong.map(({ message }) => JSON.stringify(message)),
  );
  wrong.forEach(({ message, error }, i) => {
    refused(() => strict.pack(message), `by the library: ${JSON.stringify(message)}`);
    is(got[i], { error }, `ours: ${JSON.stringify(message)}`);
  });
});
await ok('a type that there is not is read by neither', () => {
  const frames = ['0000', '9999', '0190', '0A00', '    '].map((type) =>
    Buffer.concat([Buffer.from(type), Buffer.from('0020000000000000', 'hex'), Buffer.from('000001')]),
  );
  for (const frame of frames) refused(() => strict.read(frame), `by the library: ${frame}`);
  const got = ours(
    ['unpack'],
    frames.map((frame) => frame.toString('hex')),
  );
  for (const one of got) is(one, { error: 'MESSAGE_TYPE' });
});
await ok('a message cut anywhere is refused by ours, and by the library wherever it cuts the type', () => {
  const whole = Buffer.from(corpus[corpus.length - 1].bytes, 'hex');
  const cuts = Array.from({ length: whole.length }, (_, end) => whole.subarray(0, end));
  for (const cut of cuts.slice(0, 4)) refused(() => strict.read(cut), `by the library: ${cut.length} bytes`);
  const got = ours(
    ['unpack'],
    cuts.slice(1).map((cut) => cut.toString('hex')),
  );
  for (const one of got) is(typeof one.error, 'string', 'an error');
});
tally('messages that two codecs of ISO 8583 take alike', corpus.length + again + made.length + wrong.length);
done();
