import type { ContentStore } from '../../content/content-store.ts';
import { createHasher } from '../../digest/blake3.ts';
import { StowageError } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import { placeMember } from '../../format/stored-content.ts';
import { CACHE_DIGEST } from '../../values/cache-digest.ts';
import { Refusal } from '../../values/faults.ts';
import { REFERENCE } from '../../values/reference.ts';
import type { FileReadOptions } from '../file-source.ts';
import { ReadableFile } from '../readable-file.ts';
import type { DirectoryEntry, PackedFile } from './entries.ts';

/** Finds contents of one directory. */
export interface DirectoryContents {
  store: ContentStore;
  packs: readonly ContentKey[];
  /** The place of a content. */
  placeOf: (key: ContentKey) => string;
}

/**
 * A file of a directory. It is read like a {@link FileRef}, and is no value: save the directory, or save the file by itself
 * (`files.fromData(file.name, file.open())`).
 */
export class DirectoryFile extends ReadableFile {
  override readonly name: string;
  /** Its path below the directory, its parts separated by `/`. */
  readonly path: string;
  declare readonly size: number;
  /** BLAKE3 of its bytes. */
  readonly digest: string;
  /** Its owner may run it. */
  readonly executable: boolean;
  readonly #entry: DirectoryEntry | PackedFile;
  readonly #contents: DirectoryContents;

  static {
    // By symbols that are not JavaScript's own, which no declaration file can name.
    const methods = {
      [CACHE_DIGEST](this: DirectoryFile): string {
        return `file:${this.digest}`;
      },
      [REFERENCE](): never {
        throw new Refusal(
          'a file of a directory, which is no value by itself',
          'Save the directory, or the file by itself: `await task.files.fromData(file.name, file.open())`.',
        );
      },
    };
    for (const symbol of Object.getOwnPropertySymbols(methods))
      Object.defineProperty(DirectoryFile.prototype, symbol, {
        value: methods[symbol as keyof typeof methods],
      });
  }

  /** @internal */
  constructor(entry: DirectoryEntry | PackedFile, contents: DirectoryContents) {
    super();
    const { path, size, key, executable } = entry;
    this.name = path.slice(path.lastIndexOf('/') + 1);
    this.path = path;
    Object.assign(this, { size });
    this.digest = key;
    this.executable = executable;
    this.#entry = entry;
    this.#contents = contents;
    Object.freeze(this);
  }

  /** @internal */
  protected override async *read({ range, signal }: FileReadOptions): AsyncGenerator<Uint8Array> {
    const { size, key } = this.#entry;
    const { store, packs, placeOf } = this.#contents;
    if (size === 0) return;
    const within = 'pack' in this.#entry ? (packs[this.#entry.pack] as ContentKey) : key;
    const start = 'pack' in this.#entry ? this.#entry.offset : 0;
    const offset = Math.min(range?.offset ?? 0, size);
    const length = Math.min(range?.length ?? size, size - offset);
    if (length === 0) return;
    await store.prepareToRead({ signal });
    const address = { key: within, ...placeMember(placeOf(within)) };
    const hasher = length === size ? createHasher() : undefined;
    const part = within === key ? range : { offset: start + offset, length };
    let bytes = 0;
    for await (const piece of store.reader.stream(address, { range: part, signal })) {
      hasher?.update(piece);
      bytes += piece.length;
      yield piece;
    }
    if (bytes !== length || (hasher && hasher.digestHex() !== key)) throw lies(this.path, within);
  }
}

/** Every chunk is what the store says that it is, and the file is not what its listing says. */
export function lies(path: string, key: ContentKey): StowageError {
  return new StowageError(
    'CONTENT_DAMAGED',
    `The content ${key} does not hold the file ${path} as the listing of its directory says; save the directory again.`,
    { details: { path, key } },
  );
}
