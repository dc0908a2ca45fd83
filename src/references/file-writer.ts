import { abortError, invalidArgument } from '../errors.ts';
import { ensureBytes } from '../streams/chunk-stream.ts';
import { ensureThere } from '../streams/lent-memory.ts';
import type { FileRef } from './file-ref.ts';

/** Writes a file of the store piece by piece. */
export class FileWriter implements AsyncDisposable {
  /** The name of the file. */
  readonly name: string;
  readonly #pipe: TransformStream<Uint8Array, Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #saving: Promise<FileRef>;
  #isClosed = false;

  /** @internal */
  constructor(name: string, save: (pieces: AsyncIterable<Uint8Array>) => Promise<FileRef>) {
    this.name = name;
    this.#pipe = new TransformStream();
    this.#writer = this.#pipe.writable.getWriter();
    // Both tell of a failure to whoever writes next, or closes.
    this.#writer.closed.catch(() => {});
    this.#saving = save(this.#pipe.readable as unknown as AsyncIterable<Uint8Array>);
    this.#saving.catch((error: unknown) => this.#writer.abort(error).catch(() => {}));
  }

  /**
   * Adds bytes, or text in UTF-8. Await it: it resolves once there is room for more. The bytes are copied.
   *
   * @throws StowageError `INVALID_ARGUMENT`; what made the file fail
   */
  async write(piece: Uint8Array | string): Promise<void> {
    if (this.#isClosed)
      throw invalidArgument(`The file ${this.name} was closed; nothing can be added to it.`);
    if (typeof piece !== 'string') {
      ensureBytes(piece);
      ensureThere(piece);
    }
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : Uint8Array.from(piece);
    if (bytes.length === 0) return;
    try {
      await this.#writer.write(bytes);
    } catch {
      await this.#saving; // what the file failed by
    }
  }

  /** Ends the file. Resolves to the reference, the same however often it is called. Throws what made the file fail. */
  async close(): Promise<FileRef> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#writer.close().catch(() => {}); // the save fails by the same
    }
    return this.#saving;
  }

  /** Gives the file up: nothing of it stays. Whoever closes it then gets the reason. */
  async abort(reason?: unknown): Promise<void> {
    this.#isClosed = true;
    await this.#writer
      .abort(reason ?? abortError(AbortSignal.abort(new Error(`The file ${this.name} was given up.`))))
      .catch(() => {});
    await this.#saving.catch(() => {});
  }

  /** Gives the file up unless it was closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) await this.abort();
  }
}
