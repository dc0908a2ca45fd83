import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { mapBounded } from '../../async/bounded-work.ts';
import { countTaken, type ProgressOptions, type WorkCounter, withProgress } from '../../async/progress.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { digestHex } from '../../digest/blake3.ts';
import { invalidArgument, StowageError, throwIfAborted } from '../../errors.ts';
import type { ContentKey } from '../../format/content-names.ts';
import { placeMember } from '../../format/stored-content.ts';
import { checkOptions, FLAG, PROGRESS_OPTIONS } from '../../options/option-table.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { refuseHome } from '../../storage/home-folder.ts';
import { foldsCase } from '../../storage/local/folding.ts';
import { writeWhole } from '../download.ts';
import { notWritten } from '../errors.ts';
import { type DirectoryContents, DirectoryFile, lies } from './directory-file.ts';
import type { DirectoryEntry, Listing, PackedFile } from './entries.ts';

/** Options of writing a directory to this machine. */
export interface DownloadDirectoryOptions extends CallOptions, ProgressOptions {
  /** `false` refuses a folder in which one of the files is. Default `true`: it is replaced. */
  overwrite?: boolean | undefined;
}

/** So many packs or large files are read at once. */
const CONCURRENCY = 4;

/** Writes the files of a listing below a folder; see `DirectoryRef.download`. */
export async function downloadDirectory(
  folder: string,
  load: () => Promise<{ listing: Listing; contents: DirectoryContents }>,
  options: DownloadDirectoryOptions,
): Promise<string> {
  checkOptions<DownloadDirectoryOptions>(options, 'download', { ...PROGRESS_OPTIONS, overwrite: FLAG });
  if (typeof folder !== 'string' || folder === '' || folder.includes('\0'))
    throw invalidArgument('A directory is downloaded to a folder: a path that is not empty.');
  refuseHome(folder);
  const { overwrite = true, signal, onProgress } = options;
  const root = resolve(folder);
  return withProgress(onProgress, 'download', async (progress) => {
    const { listing, contents } = await load();
    const { entries } = listing;
    progress?.expect({ bytes: entries.reduce((sum, { size }) => sum + size, 0), items: entries.length });
    if (foldsCase(root, { lstatSync })) checkFolded(root, entries);
    checkPlatform(root, entries);
    await writing(root, async () => mkdir(root, { recursive: true }));
    const target = new Target(root, overwrite);
    for (const entry of entries) target.check(entry.path);
    const { alone, packed } = grouped(entries, listing.packs);
    await mapBounded([...packed, ...alone], CONCURRENCY, async (item) => {
      throwIfAborted(signal);
      if (item instanceof Pack) await writePack(item, contents, target, { signal }, progress);
      else await writeAlone(item, contents, target, { signal }, progress);
    });
    return root;
  });
}

/** Files of one pack, in the order in which they lie in it. */
class Pack {
  readonly key: ContentKey;
  readonly files: PackedFile[] = [];

  constructor(key: ContentKey) {
    this.key = key;
  }
}

function grouped(
  entries: readonly (DirectoryEntry | PackedFile)[],
  keys: readonly ContentKey[],
): { alone: DirectoryEntry[]; packed: Pack[] } {
  const packs = keys.map((key) => new Pack(key));
  const alone: DirectoryEntry[] = [];
  for (const entry of entries) {
    if ('pack' in entry) packs[entry.pack]?.files.push(entry);
    else alone.push(entry);
  }
  for (const { files } of packs) files.sort((a, b) => a.offset - b.offset);
  return { alone, packed: packs.filter(({ files }) => files.length > 0) };
}

/** Reads a pack once, from its first file on to its last. */
async function writePack(
  { key, files }: Pack,
  { store, placeOf }: DirectoryContents,
  target: Target,
  { signal }: CallOptions,
  progress: WorkCounter | undefined,
): Promise<void> {
  const last = files.at(-1) as PackedFile;
  const range = { offset: 0, length: last.offset + last.size };
  const address = { key, ...placeMember(placeOf(key)) };
  let [held, heldFrom, next]: [Uint8Array, number, number] = [new Uint8Array(0), 0, 0];
  for await (const piece of store.reader.stream(address, { range, signal })) {
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    for (let file = files[next]; file; file = files[next]) {
      const end = file.offset + file.size;
      if (file.offset < heldFrom) throw lies(file.path, key); // it would begin within another one
      if (end > heldFrom + held.length) break;
      const bytes = held.subarray(file.offset - heldFrom, end - heldFrom);
      if (digestHex(bytes) !== file.key) throw lies(file.path, key);
      target.write(file, bytes);
      progress?.add(file.size);
      progress?.itemDone();
      next++;
      if (isTurnOver()) {
        await nextTurn();
        throwIfAborted(signal);
      }
    }
    // Files may share bytes: what is held begins with the first that is still to be written.
    const from = Math.min(files[next]?.offset ?? range.length, heldFrom + held.length);
    held = held.slice(from - heldFrom);
    heldFrom = from;
  }
  if (next < files.length) throw lies((files[next] as PackedFile).path, key);
}

async function writeAlone(
  entry: DirectoryEntry,
  contents: DirectoryContents,
  target: Target,
  { signal }: CallOptions,
  progress: WorkCounter | undefined,
): Promise<void> {
  if (entry.size === 0) target.write(entry, new Uint8Array(0));
  else {
    const path = target.prepare(entry.path);
    const pieces = new DirectoryFile(entry, contents).open({ signal });
    const mode = modeOf(entry);
    await writeWhole(path, countTaken(pieces, progress), { overwrite: true, mode });
  }
  progress?.itemDone();
}

/** The folder that files are written below, and nowhere else. */
class Target {
  readonly #root: string;
  readonly #overwrite: boolean;
  readonly #folders = new Set<string>();
  readonly #unfinished: string = `.stowage-${randomBytes(6).toString('hex')}`;
  #count = 0;

  constructor(root: string, overwrite: boolean) {
    this.#root = root;
    this.#overwrite = overwrite;
  }

  /** @throws StowageError `INVALID_ARGUMENT` for a file that is there, and is to stay */
  check(path: string): void {
    if (this.#overwrite) return;
    if (!isThere(join(this.#root, path))) return;
    throw invalidArgument(
      `There is a file at ${join(this.#root, path)}; leave overwrite out to replace it, or choose another folder.`,
      { path },
    );
  }

  /** Makes the folder of a file; resolves its path. */
  prepare(path: string): string {
    this.#makeFolder(dirname(path));
    return join(this.#root, path);
  }

  write(entry: DirectoryEntry, bytes: Uint8Array): void {
    const full = this.prepare(entry.path);
    const unfinished = join(dirname(full), `${this.#unfinished}-${this.#count++}.part`);
    try {
      writeFileSync(unfinished, bytes, { flag: 'wx', mode: modeOf(entry) });
      renameSync(unfinished, full);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw notWritten(full, error);
    }
  }

  /** Part by part, so that none of them is a link to somewhere else. */
  #makeFolder(path: string): void {
    if (path === '.' || this.#folders.has(path)) return;
    this.#makeFolder(dirname(path));
    const full = join(this.#root, path);
    try {
      mkdirSync(full);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw notWritten(full, error);
      if (!lstatSync(full).isDirectory()) {
        const why = new Error('it is a link or a file, where a folder is needed');
        throw notWritten(full, why);
      }
    }
    this.#folders.add(path);
  }
}

function modeOf({ executable }: DirectoryEntry): number {
  return executable ? 0o777 : 0o666;
}

/** @throws StowageError `DOWNLOAD_FAILED` for names that are equal but for their case, where the file system merges these */
export function checkFolded(root: string, entries: readonly DirectoryEntry[]): void {
  const spelt = new Map<string, string>();
  for (const { path } of entries) {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const part = path.slice(0, end);
      const folded = part.normalize('NFC').toLowerCase();
      const other = spelt.get(folded);
      if (other === undefined) spelt.set(folded, part);
      else if (other !== part)
        throw refused(root, `${other} and ${part} are one name to the file system there`);
      else if (end < path.length) break; // and so are the folders above
    }
  }
}

const NO_WINDOWS_NAME = /[<>:"|?*]|[. ]$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/** @throws StowageError `DOWNLOAD_FAILED` for names that Windows gives another meaning */
export function checkPlatform(
  root: string,
  entries: readonly DirectoryEntry[],
  platform: NodeJS.Platform = process.platform,
): void {
  if (platform !== 'win32') return;
  const found = entries.find(({ path }) => path.split('/').some((part) => NO_WINDOWS_NAME.test(part)));
  if (found) throw refused(root, `${found.path} is no name of a file on Windows`);
}

function refused(root: string, why: string): StowageError {
  return new StowageError(
    'DOWNLOAD_FAILED',
    `The directory cannot be written to ${root}: ${why}. Nothing was written; download it to another file system, or its files one by one.`,
    { details: { path: root } },
  );
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw notWritten(path, error);
  }
}
