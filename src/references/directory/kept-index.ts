import { isTurnOver, nextTurn } from '../../async/turns.ts';
import type { DiskCache } from '../../content/caches/disk-cache.ts';
import { GuardedCache, isContent } from '../../content/caches/guarded-cache.ts';
import type { SoughtContent } from '../../content/writing/copy-finder.ts';
import { digestHex } from '../../digest/blake3.ts';
import { isStowageError, throwIfAborted } from '../../errors.ts';
import { type ContentKey, isContentKey } from '../../format/content-names.ts';
import { type DecodedRecord, encodeRecord } from '../../format/record.ts';
import {
  type RecordSubject,
  readArray,
  readInteger,
  readObject,
  readObjects,
  readOptional,
  readRecord,
  readString,
} from '../../format/record-fields.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { PACKING } from './plan-packs.ts';
import type { KnownFolder } from './stat-index.ts';

/** The index of a folder with fewer files, and fewer bytes, is not kept: they are read as fast as it is. */
const MIN_FILES = 256;
const MIN_BYTES = 16 * 1024 * 1024;

const KIND = 'folder-index';
const WHAT = 'The index of a folder';
const LINE_END = 0x0a;
/** Between the members of a line, and in no path. */
const SEPARATOR = 0;
const KEY_DIGITS = 64;

/** A file as somebody read it. */
export interface IndexedFile {
  path: string;
  /** What the system told of it. */
  of: string;
  key: ContentKey;
}

/** What is kept of a folder for other processes. */
export interface FolderIndex {
  /** The digest of all that was told of its files. */
  of: string;
  /** What it was saved in, where all of its files can be told from later states of them. */
  folder: KnownFolder | undefined;
  /** The keys of packs, by the digests of the keys of their files. */
  packs: readonly (readonly [string, ContentKey])[];
}

/**
 * The index of one folder, on this machine's disk: digests of its files by what the system told of them, so that another process need not
 * read them again. It holds no content, is verified when it is read, and can be lost at any time.
 */
export class KeptIndex {
  readonly #cache: GuardedCache;
  readonly #name: string;
  readonly #what: RecordSubject;
  #body: Uint8Array | undefined;

  /** @param selection - what of the folder is looked at */
  constructor(cache: DiskCache, root: string, selection: unknown) {
    this.#cache = new GuardedCache(cache);
    this.#what = { root, selection: JSON.stringify(selection), packing: PACKING };
    this.#name = digestHex(Buffer.from(JSON.stringify([KIND, this.#what])));
  }

  /** True where remembering a folder for other processes pays. */
  static pays(files: number, bytes: number): boolean {
    return files >= MIN_FILES || bytes >= MIN_BYTES;
  }

  async load(options: CallOptions): Promise<FolderIndex | undefined> {
    const verify = (bytes: Uint8Array): Promise<FolderIndex | undefined> => this.#decode(bytes, options);
    return this.#cache.get({ key: this.#name, bytes: undefined, verify }, options);
  }

  /** The files of the index that was loaded. */
  async *files(options: CallOptions): AsyncGenerator<IndexedFile> {
    const body = Buffer.from(this.#body ?? []);
    for (let at = 0; at < body.length; ) {
      if (isTurnOver()) await turn(options);
      const middle = body.indexOf(SEPARATOR, at);
      const end = body.indexOf(SEPARATOR, middle + 1);
      if (middle < 0 || end < 0) return;
      const said = body.toString('latin1', at, middle);
      const key = said.slice(0, KEY_DIGITS) as ContentKey;
      yield { key, of: said.slice(KEY_DIGITS), path: body.toString('utf8', middle + 1, end) };
      at = end + 1;
    }
  }

  async save(
    { of, folder, packs }: FolderIndex,
    files: Iterable<IndexedFile>,
    options: CallOptions,
  ): Promise<void> {
    const parts: Buffer[] = [];
    let text = '';
    for (const { key, of: said, path } of files) {
      text += `${key}${said}\0${path}\0`;
      if (text.length < 65_536) continue;
      parts.push(Buffer.from(text));
      text = '';
      if (isTurnOver()) await turn(options);
    }
    const body = Buffer.concat([...parts, Buffer.from(text)]);
    const digest = digestHex(body);
    const fields = { format: 1, kind: KIND, ...this.#what, of, folder, packs, body: digest };
    const bytes = Buffer.concat([encodeRecord(fields), Buffer.of(LINE_END), body]);
    await this.#cache.set(this.#name, bytes, options);
  }

  async #decode(bytes: Uint8Array, options: CallOptions): Promise<FolderIndex | undefined> {
    const end = bytes.indexOf(LINE_END);
    if (end < 0) return undefined;
    try {
      const record = readRecord(bytes.subarray(0, end), WHAT, KIND, this.#what);
      const body = bytes.subarray(end + 1);
      const key = readString(record, 'body', WHAT) as ContentKey;
      if (!(await isContent(body, { key }, options))) return undefined;
      const packs = readArray(record, 'packs', WHAT);
      const folder = readOptional(readObject, record, 'folder', WHAT);
      if (!packs.every(isPack)) return undefined;
      this.#body = body;
      return { of: readString(record, 'of', WHAT), folder: folder && readFolder(folder), packs };
    } catch (error) {
      // Whoever wrote it, it is of no use: what is damaged is deleted, and made again.
      if (isStowageError(error, 'RECORD_DAMAGED', 'UNSUPPORTED_FORMAT')) return undefined;
      throw error;
    }
  }
}

function readFolder(fields: DecodedRecord): KnownFolder {
  const contents = readObjects(fields, 'contents', WHAT).map((content): SoughtContent => {
    return {
      key: readString(content, 'key', WHAT) as ContentKey,
      bytes: readInteger(content, 'bytes', WHAT),
    };
  });
  return {
    files: readInteger(fields, 'files', WHAT),
    size: readInteger(fields, 'size', WHAT),
    entries: readString(fields, 'entries', WHAT),
    contents,
  };
}

function isPack(value: unknown): value is readonly [string, ContentKey] {
  return Array.isArray(value) && value.length === 2 && value.every(isContentKey);
}

async function turn({ signal }: CallOptions): Promise<void> {
  throwIfAborted(signal);
  await nextTurn();
}
