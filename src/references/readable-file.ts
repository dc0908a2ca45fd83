import { Blob, constants } from 'node:buffer';
import { onUse } from '../async/open-files.ts';
import { countPieces, type ProgressOptions } from '../async/progress.ts';
import { invalidArgument, messageOf, StowageError } from '../errors.ts';
import {
  checkOptions,
  type OptionTable,
  PROGRESS_OPTIONS,
  RANGE,
  wholeNumber,
} from '../options/option-table.ts';
import type { ByteRange, CallOptions } from '../storage/contract.ts';
import { webStream } from '../streams/web-stream.ts';
import type { DownloadOptions } from './download.ts';
import { tooLarge } from './errors.ts';
import type { FileReadOptions } from './file-source.ts';

const downloads = onUse(() => import('./download.ts'));

/** Options of reading a file piece by piece. */
export interface OpenFileOptions extends FileReadOptions, ProgressOptions {}

/** Options of loading a file into memory. */
export interface LoadFileOptions extends CallOptions, ProgressOptions {
  /** A file of more bytes is `CONTENT_TOO_LARGE`. Default: 1 GiB. */
  maxBytes?: number | undefined;
}

const MAX_BYTES = 1024 ** 3;
const LOAD_OPTIONS: OptionTable<LoadFileOptions> = {
  ...PROGRESS_OPTIONS,
  maxBytes: wholeNumber(0, constants.MAX_LENGTH),
};

/** A file that can be read, wherever its bytes lie. */
export abstract class ReadableFile {
  /** The name of the file, without a folder. */
  abstract readonly name: string;
  /** Its length in bytes; `undefined` where nobody has told it yet. */
  declare readonly size?: number;
  declare readonly mediaType?: string;

  /** @internal */
  protected abstract read(options: FileReadOptions): AsyncGenerator<Uint8Array>;

  /**
   * Reads the file, or a part of it, as a web stream, which is an async iterable too: piece by piece, verified where it lies in the store.
   * What ends the stream early is thrown to its reader: `CONTENT_NOT_FOUND`, `CONTENT_DAMAGED`; of a file outside of the store
   * `REFERENCE_NOT_FOUND`, `REFERENCE_CHANGED` and `REFERENCE_UNREADABLE`.
   */
  open(options: OpenFileOptions = {}): ReadableStream<Uint8Array> {
    checkOptions<OpenFileOptions>(options, 'open', { ...PROGRESS_OPTIONS, range: RANGE });
    return webStream(({ signal }) => this.#pieces({ ...options, signal }, 'open'), options);
  }

  /** Reads a part of it: `length` bytes from `offset` on, fewer where it ends before. */
  async range(offset: number, length: number, options: LoadFileOptions = {}): Promise<Uint8Array> {
    const range = { offset, length };
    if (RANGE.accepts(range)) return this.#load('range', options, range);
    throw invalidArgument(
      `A range is ${RANGE.expects}, not { offset: ${String(offset)}, length: ${String(length)} }.`,
    );
  }

  /**
   * Loads it into memory.
   *
   * @throws StowageError `CONTENT_TOO_LARGE` beyond `maxBytes`, and as {@link open}
   */
  async bytes(options: LoadFileOptions = {}): Promise<Uint8Array> {
    return this.#load('bytes', options);
  }

  /** Loads it as text in UTF-8; a byte order mark at its beginning is none of it. Throws as {@link bytes}. */
  async text(options: LoadFileOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.#load('text', options));
  }

  /** Loads it as JSON. Throws as {@link bytes}, and `UNDECODABLE_ARTIFACT` for what is no JSON. */
  async json<T = unknown>(options: LoadFileOptions = {}): Promise<T> {
    const text = new TextDecoder().decode(await this.#load('json', options));
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new StowageError(
        'UNDECODABLE_ARTIFACT',
        `The file ${this.name} is no JSON: ${messageOf(cause)}.`,
        {
          details: { name: this.name },
          cause,
        },
      );
    }
  }

  /** Loads it as a `Blob` of its media type. Throws as {@link bytes}. */
  async toBlob(options: LoadFileOptions = {}): Promise<Blob> {
    return new Blob([await this.#load('toBlob', options)], { type: this.mediaType ?? '' });
  }

  /**
   * Writes it to a file of this machine, whose folder is made where it is missing; to a folder, under its own name. What was there before
   * is replaced once all has been written, and stays as it is after a failure. Resolves to the path.
   *
   * @throws StowageError `DOWNLOAD_FAILED`, `INVALID_ARGUMENT` where a file is there and `overwrite` is `false`, and as {@link open}
   */
  async download(path: string, options: DownloadOptions = {}): Promise<string> {
    const { downloadFile } = await downloads();
    return downloadFile(this.name, path, options, (reading) => this.#pieces(reading, 'download'));
  }

  async #load(call: string, options: LoadFileOptions, range?: ByteRange): Promise<Uint8Array> {
    checkOptions<LoadFileOptions>(options, call, LOAD_OPTIONS);
    const { maxBytes = MAX_BYTES, ...reading } = options;
    const known = range ? Math.min(range.length, this.size ?? range.length) : this.size;
    if (known !== undefined && known > maxBytes) throw tooLarge(this.name, known, maxBytes);
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.#pieces({ ...reading, range }, call)) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge(this.name, undefined, maxBytes);
    }
    const [only] = pieces;
    return pieces.length === 1 && only ? only : new Uint8Array(Buffer.concat(pieces, bytes));
  }

  #pieces({ range, signal, onProgress }: OpenFileOptions, call: string): AsyncGenerator<Uint8Array> {
    const pieces = this.read({ range, signal });
    const { size } = this;
    const bytes =
      range && size !== undefined ? Math.max(0, Math.min(range.length, size - range.offset)) : size;
    return onProgress ? countPieces(pieces, onProgress, call, bytes) : pieces;
  }
}
