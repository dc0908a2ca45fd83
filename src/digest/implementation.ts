/** A BLAKE3-256 hash in the making. A digest can be taken at any time; more bytes may follow it. */
export interface Hasher {
  update(bytes: Uint8Array): this;
  /** The digest of all bytes so far: 64 lowercase hexadecimal digits. */
  digestHex(): string;
  /** The digest of all bytes so far: 32 bytes, the caller's own. */
  digestBytes(): Uint8Array;
}

/** One way to compute BLAKE3-256. All of them give equal digests. */
export interface Blake3 {
  readonly implementation: 'native' | 'portable';
  digestHex(bytes: Uint8Array): string;
  digestBytes(bytes: Uint8Array): Uint8Array;
  createHasher(): Hasher;
}
