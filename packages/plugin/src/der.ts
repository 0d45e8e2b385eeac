/** The part of DER (ITU-T X.690) that a certificate needs. */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  explicit: 0xa0,
} as const;

export function raw(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

export const sequence = (...items: Buffer[]): Buffer => raw(TAG.sequence, Buffer.concat(items));
export const set = (...items: Buffer[]): Buffer => raw(TAG.set, Buffer.concat(items));
export const explicit = (number: number, content: Buffer): Buffer => raw(TAG.explicit | number, content);
export const integer = (bigEndian: Buffer): Buffer => raw(TAG.integer, bigEndian);
export const boolean = (value: boolean): Buffer => raw(TAG.boolean, Buffer.from([value ? 0xff : 0]));
/** Content octets in hexadecimal. */
export const objectId = (hex: string): Buffer => raw(TAG.objectId, Buffer.from(hex, 'hex'));
export const utf8String = (text: string): Buffer => raw(TAG.utf8String, Buffer.from(text, 'utf8'));
export const octetString = (content: Buffer): Buffer => raw(TAG.octetString, content);
/** Whole bytes: no unused bits. */
export const bitString = (content: Buffer): Buffer => raw(TAG.bitString, Buffer.concat([Buffer.from([0]), content]));

/** A list of named bits below 8, bit 0 being the highest; trailing zero bits are cut off, as DER demands. */
export function namedBits(bits: number[]): Buffer {
  let byte = 0;
  for (const bit of bits) byte |= 0x80 >> bit;
  return raw(TAG.bitString, Buffer.from([7 - Math.max(...bits), byte]));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
export function time(at: Date): Buffer {
  const text = `${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return at.getUTCFullYear() < 2050 ? raw(TAG.utcTime, Buffer.from(text.slice(2))) : raw(TAG.generalizedTime, Buffer.from(text));
}

function length(count: number): Buffer {
  if (count < 0x80) return Buffer.from([count]);
  if (count < 0x100) return Buffer.from([0x81, count]);
  return Buffer.from([0x82, count >> 8, count & 0xff]);
}
