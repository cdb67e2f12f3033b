// What the store's API has answered in all tests of a run, held to its OpenAPI document (description.mjs). With each
// answer goes its request; those that no API has seen, since the HTTP server before it had refused them, are few.
//
//   node answers.mjs FOLDER    files of lines { method, path, status, type, body } (tests/support/test_answered.h)
import { readdirSync, readFileSync } from 'node:fs';
import { describe } from './description.mjs';
import { done, is, ok, refused, tally } from './tap.mjs';

const [folder] = process.argv.slice(2);
const document = JSON.parse(readFileSync(`${process.env.SETPAY_TREE}/merchant/store/api/openapi.json`));
const { judge, seen } = describe(document);
const answers = readdirSync(folder).flatMap((name) =>
  readFileSync(`${folder}/${name}`, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)));

await ok('the tests have left answers', () => {
  is(answers.length > 100, true, `${answers.length} answers`);
  is(seen.size, 0);
});
await ok('every one of them is as described', () => {
  const wrong = new Map(); // one of each kind
  for (const answer of answers)
    try {
      judge(answer);
    } catch ({ message }) {
      const kind = `${answer.method} ${answer.path.replace(/[a-z]+_[0-9a-z]{20}/g, '*')} ${answer.status}`;
      if (!wrong.has(kind)) wrong.set(kind, message.slice(0, 500));
    }
  is([...wrong.values()], []);
});
await ok('and one that is not would be noticed', () => {
  const one = answers.find(({ status, body }) => status === 200 && body.order_id);
  refused(() => judge({ ...one, body: { ...one.body, pan: '4242' } }), 'another member');
});
tally("answers of the store's API held to its description", answers.length);
console.log(`# ${[...seen].sort().join(', ')}`);
done();
