import { constants } from 'node:buffer';
import { StowageError } from '../../errors.ts';
import type { ContentAddress } from '../../format/stored-content.ts';

/**
 * Memory for more than this is taken only once bytes of the content have come and were verified: what names no content costs a request,
 * whatever length it claims.
 */
const TRUSTED_BYTES = 256 * 1024 * 1024;

/** A content that is put together in one buffer of its exact size. */
export class Assembly {
  readonly #address: ContentAddress;
  #memory: Uint8Array | undefined;
  #bytes = 0;
  #received = 0;

  constructor(address: ContentAddress) {
    this.#address = address;
  }

  /** Tells how long the content is, by the copy that is read next. False where bytes of another length have come already. */
  expect(bytes: number): boolean {
    if (this.#received > 0) return bytes === this.#bytes;
    if (bytes !== this.#bytes) this.#memory = undefined;
    this.#bytes = bytes;
    return true;
  }

  /**
   * The memory of a part of the content, to be filled in any order; `undefined` while there is none.
   *
   * @throws StowageError `CONTENT_TOO_LARGE`
   */
  memoryFor(start: number, bytes: number): Uint8Array | undefined {
    if (this.#received === 0 && this.#bytes > TRUSTED_BYTES) return undefined;
    return this.#whole().subarray(start, start + bytes);
  }

  /**
   * Takes the next verified piece, which may lie in its place already.
   *
   * @throws StowageError `CONTENT_TOO_LARGE`
   */
  take(piece: Uint8Array): void {
    if (!this.#memory && piece.length === this.#bytes && isAlone(piece)) {
      this.#memory = new Uint8Array(piece.buffer);
    } else if (piece.buffer !== this.#whole().buffer) {
      this.#whole().set(piece, this.#received);
    }
    this.#received += piece.length;
  }

  /**
   * The whole content.
   *
   * @throws StowageError `CONTENT_DAMAGED` where its record tells another length
   */
  finish(): Uint8Array {
    const { bytes = this.#bytes } = this.#address;
    if (bytes !== this.#received) throw otherLength(this.#address);
    return this.#whole();
  }

  #whole(): Uint8Array {
    this.#memory ??= allocate(this.#address, this.#bytes);
    return this.#memory;
  }
}

/** True if a piece has a buffer to itself, which nobody shares. */
function isAlone(piece: Uint8Array): piece is Uint8Array<ArrayBuffer> {
  return piece.buffer instanceof ArrayBuffer && piece.buffer.byteLength === piece.length;
}

/** Not cleared first where it is small; the system clears what is large as it is used. */
function allocate(address: ContentAddress, bytes: number): Uint8Array {
  if (bytes > constants.MAX_LENGTH) throw tooLarge(address, bytes);
  try {
    return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
  } catch (cause) {
    throw tooLarge(address, bytes, cause);
  }
}

/** The content is what its key says; it is the record that tells another length. */
function otherLength({ key, bytes }: ContentAddress): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `Content ${key} does not have the ${bytes} bytes that its record tells. Load it by its key, and restore the record from a copy of the store.`,
    { details: { key, bytes } },
  );
}

function tooLarge({ key }: ContentAddress, bytes: number, cause?: unknown): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `Content ${key} has ${bytes} bytes, more than memory holds in one piece; read it as a stream.`,
    { details: { key, bytes }, cause },
  );
}
