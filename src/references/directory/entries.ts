import { createHasher } from '../../digest/blake3.ts';
import { invalidArgument, StowageError } from '../../errors.ts';
import { CHUNKED_FROM_BYTES, type ContentKey, isContentKey } from '../../format/content-names.ts';

/** A file of a directory. */
export interface DirectoryEntry {
  /** Its path below the directory, its parts separated by `/`. */
  path: string;
  size: number;
  /** The digest of its bytes. */
  key: ContentKey;
  executable: boolean;
}

/** A file that lies in a pack, with others. */
export interface PackedFile extends DirectoryEntry {
  /** The index of the pack. */
  pack: number;
  /** In bytes of the pack. */
  offset: number;
}

/** The content of a listing. */
export interface Listing {
  /** Ascending by the bytes of their paths. Those that are empty, or large, lie in no pack. */
  entries: readonly (DirectoryEntry | PackedFile)[];
  /** The keys of the packs. */
  packs: readonly ContentKey[];
}

/** A directory has so many files at most. */
export const MAX_ENTRIES = 500_000;
/** The bytes of a listing that a reader accepts. */
export const MAX_LISTING_BYTES: number = 256 * 1024 * 1024;
const MAX_PART_BYTES = 255;
const MAX_PATH_BYTES = 4_096;

/** The digest of a directory: of its entries, wherever their bytes lie. */
export function entriesDigest(entries: readonly DirectoryEntry[]): string {
  const hasher = createHasher();
  let text = 'stowage directory 1\n';
  for (const { path, key, executable } of entries) {
    text += `${path}\n${key}\n${executable ? 1 : 0}\n`;
    if (text.length < 65_536) continue;
    hasher.update(Buffer.from(text));
    text = '';
  }
  return hasher.update(Buffer.from(text)).digestHex();
}

export function encodeListing({ entries, packs }: Listing): Uint8Array {
  const rows = entries.map((entry) => {
    const { path, size, key, executable } = entry;
    const row = [path, size, key, executable ? 1 : 0];
    return 'pack' in entry ? [...row, entry.pack, entry.offset] : row;
  });
  return Buffer.from(JSON.stringify({ format: 1, kind: 'directory', packs, entries: rows }));
}

/**
 * Reads a listing, of which nothing is certain but its digest.
 *
 * @throws StowageError `UNSUPPORTED_FORMAT`, `CONTENT_DAMAGED` for what is no listing: among it paths that would lead out of a folder
 */
export function decodeListing(bytes: Uint8Array, what: string): Listing {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(),
    ) as typeof record;
  } catch (cause) {
    throw noListing(what, 'it is no JSON', cause);
  }
  const { format, kind, packs, entries } = record ?? {};
  if (kind !== 'directory' || !Array.isArray(entries) || !Array.isArray(packs) || !packs.every(isContentKey))
    throw noListing(what, 'it is none of a directory');
  if (format !== 1) {
    throw new StowageError(
      'UNSUPPORTED_FORMAT',
      `${what} was written by a newer release of Stowage; update to read it.`,
      { details: { what } },
    );
  }
  let before = Buffer.alloc(0);
  const read = entries.map((row: unknown): DirectoryEntry | PackedFile => {
    const [path, size, key, mode, pack, offset] = Array.isArray(row) ? (row as unknown[]) : [];
    const problem = typeof path === 'string' ? pathProblem(path) : 'it is no text';
    if (typeof path !== 'string' || problem !== undefined)
      throw noListing(what, `it has the path ${JSON.stringify(path)?.slice(0, 100)}: ${problem}`);
    const bytesOfPath = Buffer.from(path);
    if (Buffer.compare(before, bytesOfPath) >= 0) throw noListing(what, 'its paths are not ascending');
    before = bytesOfPath;
    if (!isCount(size) || !isContentKey(key) || (mode !== 0 && mode !== 1))
      throw noListing(what, `its entry ${path} is none`);
    const entry = { path, size, key, executable: mode === 1 };
    if (pack === undefined) return entry;
    if (!isCount(pack) || pack >= packs.length || !isCount(offset) || !isPacked(size))
      throw noListing(what, `its entry ${path} is none`);
    return { ...entry, pack, offset };
  });
  const folders = new Set(read.flatMap(({ path }) => foldersOf(path)));
  const both = read.find(({ path }) => folders.has(path));
  if (both) throw noListing(what, `its entry ${both.path} is a file and a folder`);
  return { entries: read, packs };
}

/** True for a file that is stored with others. An empty one is not stored at all. */
export function isPacked(size: number): boolean {
  return size > 0 && size < CHUNKED_FROM_BYTES;
}

function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    folders.push(path.slice(0, end));
  return folders;
}

/**
 * Tells why a path is none of a directory; `undefined` if it is one. It must mean the same file below any folder of any system: parts that are
 * not empty, `.` or `..`, without control characters, `\` or a drive of Windows.
 */
export function pathProblem(path: string): string | undefined {
  if (path === '' || path.startsWith('/')) return 'it is absolute, or empty';
  if (/^[a-z]:/i.test(path)) return 'it begins with a drive of Windows';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what no path may have
  if (/[\\\u0000-\u001f\u007f-\u009f]/.test(path)) return 'it has a control character or a backslash';
  if (/\p{Surrogate}|\ufffd/u.test(path)) return 'it is no valid text';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `it has more than ${MAX_PATH_BYTES} bytes`;
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') return `it has a part ${JSON.stringify(part)}`;
    if (Buffer.byteLength(part) > MAX_PART_BYTES) return `it has a part of more than ${MAX_PART_BYTES} bytes`;
  }
  return undefined;
}

/** @throws StowageError `INVALID_NAME` for a file whose path is none of a directory */
export function checkPath(path: string): string {
  const problem = pathProblem(path);
  if (problem === undefined) return path;
  throw new StowageError(
    'INVALID_NAME',
    `The file ${JSON.stringify(path)} cannot be kept in a directory: ${problem}. Rename it, or leave it out (exclude).`,
    { details: { path } },
  );
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkCount(files: number): void {
  if (files <= MAX_ENTRIES) return;
  throw invalidArgument(
    `A directory has at most ${MAX_ENTRIES} files, and this one has more; save parts of it, or leave files out (exclude).`,
    { files },
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function noListing(what: string, why: string, cause?: unknown): StowageError {
  return new StowageError('CONTENT_DAMAGED', `${what} is no listing of a directory: ${why}.`, {
    details: { what },
    cause,
  });
}
