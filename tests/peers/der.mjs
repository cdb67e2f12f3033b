// Writes DER, as far as the requests and envelopes of the page need it. Elements are Buffers; objects are named by
// their numbers in text, of any length (2.25 has arcs of 128 bits).
const length = (n) => {
  if (n < 128) return Buffer.from([n]);
  const bytes = Buffer.from(n.toString(16).padStart(n > 255 ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
};
export const tlv = (tag, ...parts) => {
  const value = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), length(value.length), value]);
};
export const sequence = (...parts) => tlv(0x30, ...parts);
// The elements of a SET OF stand in the order of their bytes.
export const set = (...parts) => tlv(0x31, ...[...parts].sort(Buffer.compare));
export const octets = (bytes) => tlv(0x04, Buffer.from(bytes));
export const bits = (bytes) => tlv(0x03, Buffer.from([0]), bytes);
export const utf8 = (text) => tlv(0x0c, Buffer.from(text));
export const integer = (n) => tlv(0x02, Buffer.from([n])); // 0 to 127
// [n]: constructed, or primitive.
export const context = (n, ...parts) => tlv(0xa0 | n, ...parts);
export const contextPrimitive = (n, bytes) => tlv(0x80 | n, bytes);

const groups = (n) => (n < 128n ? [Number(n)] : [...groups(n >> 7n).map((b) => b | 128), Number(n & 127n)]);
export const oid = (text) => {
  const [first, second, ...rest] = text.split('.').map(BigInt);
  return tlv(0x06, Buffer.from([first * 40n + second, ...rest].flatMap(groups)));
};
