/** What the bytes of a value begin with, so that no other use of BLAKE3 gives its digest. */
export const VALUE_DOMAIN = 'stowage cache value 1\n';

/** As {@link VALUE_DOMAIN}, of what a key is made of. */
export const KEY_DOMAIN = 'stowage cache key 1\n';

/** The first byte of every part of an encoded value: what it is. Part of the format. */
export const TAG = {
  null: 0x6e, // n
  undefined: 0x75, // u
  true: 0x74, // t
  false: 0x66, // f
  hole: 0x68, // h
  number: 0x64, // d
  string: 0x73, // s
  utf16: 0x77, // w
  bigint: 0x69, // i
  date: 0x44, // D
  regexp: 0x52, // R
  url: 0x55, // U
  bytes: 0x62, // b
  typedArray: 0x54, // T
  arrayBuffer: 0x41, // A
  dataView: 0x56, // V
  array: 0x4c, // L
  object: 0x4f, // O
  nullPrototype: 0x4e, // N
  map: 0x4d, // M
  set: 0x53, // S
  error: 0x45, // E
  class: 0x43, // C
  serialized: 0x42, // B
  digest: 0x46, // F
} as const;
