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
// What the document has, and need not have been seen: each with its reason.
const late = 'the gateway has not answered in time: tests of crashes see it, or not';
const underWay = 'the same request is under way, or has just ended what this one would';
const never = 'the document has it of all that can be changed, and nothing stands in the way of this one';
const unasked = {
  'captureOrder 202': late,
  'captureOrders 202': late,
  'refundOrder 202': late,
  'shipOrder 202': late,
  'undoOrderStep 202': late,
  'voidOrder 202': late,
  'cancelOrder 202': late,
  'authoriseOrder 202': late,
  'closeBatches 202': late,
  'captureOrders 409': underWay,
  'closeBatches 409': underWay,
  'endAgreement 409': underWay,
  'rotateWebhookSecret 409': underWay,
  'addPicture 409': 'a product has as many pictures as there may be (test_catalogue)',
  'changePicture 409': never,
  'changeVariant 409': never,
  'deletePicture 409': never,
  'deleteShippingMethod 409': never,
  'changeTaxRate 409': never,
  'deleteTaxRate 409': never,
};
const asked = (status) => status[0] === '2' || status[0] === '4';
const documented = Object.values(document.paths).flatMap((path) => Object.values(path))
  .filter(({ operationId }) => operationId)
  .flatMap(({ operationId, responses }) => Object.keys(responses).filter(asked).map((status) => `${operationId} ${status}`));
await ok('every operation has done what it is for', () => {
  const done = (id) => documented.some((one) => one.startsWith(`${id} 2`) && seen.has(one));
  const ids = [...new Set(documented.map((one) => one.split(' ')[0]))];
  is([ids.length > 50, ids.filter((id) => !done(id))], [true, []]);
});
await ok('every other status of it was seen too, but for those that say why not', () => {
  is(documented.filter((one) => !seen.has(one) && !(one in unasked)), []);
  is(Object.keys(unasked).filter((one) => !documented.includes(one)), [], 'not in the document');
});
await ok('and one that is not would be noticed', () => {
  const one = answers.find(({ status, body }) => status === 200 && body.order_id);
  refused(() => judge({ ...one, body: { ...one.body, pan: '4242' } }), 'another member');
});
tally("answers of the store's API held to its description", answers.length);
console.log(`# ${[...seen].sort().join(', ')}`);
done();
