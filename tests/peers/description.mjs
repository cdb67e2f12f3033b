// An OpenAPI document as the judge of answers (ajv): a status, a media type, a header or a member that the document
// does not have is an error.
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { is } from './tap.mjs';

// describe(DOCUMENT): { resolve, conforms, judge, seen }
export function describe(document) {
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
  const resolve = (one) =>
    one?.$ref ? resolve(one.$ref.slice(2).split('/').reduce((at, name) => at[name], document)) : one;
  // A schema that takes no members but those it names: answers must not have others.
  const closed = (schema) => {
    if (Array.isArray(schema)) return schema.map(closed);
    if (schema === null || typeof schema !== 'object') return schema;
    if (schema.$ref) return closed(resolve(schema));
    if (schema.allOf)
      return closed({
        type: 'object',
        required: schema.allOf.flatMap((one) => resolve(one).required ?? []),
        properties: Object.assign({}, ...schema.allOf.map((one) => resolve(one).properties)),
      });
    const inside = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
    if (schema.properties) {
      inside.properties = Object.fromEntries(Object.entries(schema.properties).map(([k, v]) => [k, closed(v)]));
      inside.additionalProperties ??= false;
    }
    return inside;
  };
  const validators = new Map();
  function conforms(schema, value, what) {
    const key = JSON.stringify(schema);
    if (!validators.has(key)) validators.set(key, ajv.compile(closed(schema)));
    const validate = validators.get(key);
    if (!validate(value)) throw new Error(`${what}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`);
  }
  // The operation of a method and path; undefined: none.
  function operationOf(method, path) {
    const [bare] = path.split('?');
    for (const [template, operations] of Object.entries(document.paths)) {
      const pattern = new RegExp(`^${template.replace(/\{[^}]*\}/g, '[^/]+')}$`);
      if (pattern.test(bare) && operations[method.toLowerCase()]) return operations[method.toLowerCase()];
    }
    return undefined;
  }
  const seen = new Set(); // "operationId status"
  // An answer: path is below that of the server, body parsed or null; type and headers may be left out.
  function judge({ method, path, status, body, type, headers }) {
    const operation = operationOf(method, path);
    if (!operation) {
      // No path of the document: a problem all the same.
      if (status < 400) throw new Error(`${method} ${path}: ${status}, and the document has no such path`);
      conforms({ $ref: '#/components/schemas/Problem' }, body, `${method} ${path} ${status}`);
      return;
    }
    const answer = resolve(operation.responses[String(status)]);
    if (!answer) throw new Error(`${method} ${path}: the document has no status ${status}`);
    seen.add(`${operation.operationId} ${status}`);
    if (!answer.content) return is(body, null, `${method} ${path} ${status}: a body`);
    const [[media, { schema }]] = Object.entries(answer.content);
    if (type) is(type, media, `${method} ${path} ${status}: Content-Type`);
    for (const name of ['Location', 'Retry-After', 'WWW-Authenticate'])
      if (headers?.get(name) && !answer.headers?.[name]) throw new Error(`${method} ${path} ${status} has ${name}`);
    conforms(schema, body, `${method} ${path} ${status}`);
  }
  return { resolve, conforms, judge, seen };
}
