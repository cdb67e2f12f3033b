// iso_8583 from npm with our formats: n, an, ans and xn fields, bitmaps of 8 bytes each, all else ASCII.
//
// Two habits of the library are not ISO 8583's and are put right here: it takes field 127 for a tree of Postilion's
// sub-fields, and it writes a second bitmap also where no field above 64 is present.
import Iso8583 from 'iso_8583';
import { readFileSync } from 'node:fs';

// {formats, where}: the rows of docs/iso8583.md, in the library's words, and the messages that each field is in.
export function page() {
  const formats = {},
    where = {};
  for (const line of readFileSync(`${process.env.SETPAY_TREE}/docs/iso8583.md`, 'utf8').split('\n')) {
    const [, numbers, label, forms, messages] = line.split('|').map((cell) => cell.trim());
    if (!/^\d+(, \d+)*$/.test(numbers ?? '') || !/^(n|an|ans|x\+n) /.test(forms ?? '')) continue;
    numbers.split(', ').forEach((field, at) => {
      const all = forms.split(', ');
      const [, ContentType, variable, size, digits] = /^(n|an|ans|x\+n) (\.\.)?(\d+)(?: (L+))?$/.exec(
        all[at] ?? all[0],
      );
      formats[field] = {
        ContentType,
        Label: label,
        LenType: variable ? `${digits.toLowerCase()}var` : 'fixed',
        MaxLen: Number(size),
      };
      where[field] = messages.split(' ');
    });
  }
  return { formats, where };
}

export const checked = (result) => {
  if (result?.error) throw new Error(result.error);
  return result;
};

// The library's class with these formats.
export const codec = (formats) =>
  class extends Iso8583 {
    constructor(message) {
      super(message, formats);
      const plain = { ...formats[127], LenType: 'lllvar' };
      this.unpack_127_1_63 = (bytes, json) => {
        const end = 3 + Number(bytes.toString('latin1', 0, 3));
        if (!(end <= 3 + plain.MaxLen)) return { error: 'field 127 is too long' };
        return { json: { ...json, 127: bytes.toString('latin1', 3, end) }, remSlice: bytes.subarray(end) };
      };
      this.assemble127_extensions = () =>
        Buffer.from(`${String(this.Msg[127].length).padStart(3, '0')}${this.Msg[127]}`);
    }
  };

// {read, pack}: a message's bytes, without the length in front, and its fields.
export function functions(Codec) {
  return {
    read: (bytes) => checked(new Codec().getIsoJSON(bytes, { lenHeader: false })),
    pack: (message) => {
      const bytes = checked(new Codec(message).getRawMessage());
      if (Object.keys(message).some((field) => Number(field) > 64)) return bytes;
      bytes[4] &= 0x7f;
      return Buffer.concat([bytes.subarray(0, 12), bytes.subarray(20)]);
    },
  };
}
