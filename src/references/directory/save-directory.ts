import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkCounter } from '../../async/progress.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { SoughtContent } from '../../content/writing/copy-finder.ts';
import { createHasher, digestHex } from '../../digest/blake3.ts';
import { messageOf, throwIfAborted } from '../../errors.ts';
import { CHUNKED_FROM_BYTES, type ContentKey } from '../../format/content-names.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import { changed, notFound, unreadable } from '../errors.ts';
import type { Keeping } from '../file-keeper.ts';
import { LocalFile } from '../local-file.ts';
import { type DirectoryEntry, encodeListing, entriesDigest, isPacked, type PackedFile } from './entries.ts';
import { type FolderIndex, type IndexedFile, KeptIndex } from './kept-index.ts';
import { type DigestedFile, PackPlan, type PlannedPack } from './plan-packs.ts';
import { type FileStats, identityOf, type KnownFolder, type StatIndex, statIndexOf } from './stat-index.ts';
import type { FoundFile, TreeOptions } from './walk-tree.ts';

const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const EMPTY_KEY = digestHex(new Uint8Array(0));

/** A directory that is stored. */
export interface SavedDirectory {
  files: number;
  size: number;
  /** The digest of its entries. */
  entries: string;
  listing: ContentKey;
  /** The listing first, then packs and large files, each once. */
  contents: StoredContent[];
}

/** A folder of this machine, and the files of it that are taken. */
export interface FoundFolder {
  root: string;
  /** What was looked for. */
  selection: TreeOptions;
  files: readonly FoundFile[];
}

/**
 * Stores the files of a folder: small ones together in packs, large ones each, and a listing of all. Files that are as this process, or another
 * one of this machine, has read them before are not read again, as long as the store has what holds them.
 *
 * @throws StowageError `REFERENCE_CHANGED` for a file that is written to meanwhile
 */
export async function saveDirectory(
  { root, selection, files }: FoundFolder,
  store: ContentStore,
  keeping: Keeping,
  progress: WorkCounter | undefined,
): Promise<SavedDirectory> {
  const index = statIndexOf(store);
  const cache = KeptIndex.pays(files.length, sizeOf(files)) ? await index.cache.open(root) : undefined;
  const kept = cache && new KeptIndex(cache, root, selection);
  return new DirectorySave(root, index, kept, keeping, progress).save(files);
}

class DirectorySave {
  readonly #root: string;
  readonly #index: StatIndex;
  readonly #kept: KeptIndex | undefined;
  readonly #keeping: Keeping;
  readonly #progress: WorkCounter | undefined;
  /** Files are counted as such, whatever they are stored in. */
  readonly #counter: WorkCounter;
  readonly #stored = new Map<ContentKey, StoredContent>();
  readonly #packs: [string, ContentKey][] = [];
  /** All files can be told from later states of them. */
  #isRemembered = true;
  /** A file was read that nobody remembered. */
  #hasLearned = false;
  /** Every small file is read here. */
  readonly #memory = Buffer.allocUnsafeSlow(CHUNKED_FROM_BYTES);

  constructor(
    root: string,
    index: StatIndex,
    kept: KeptIndex | undefined,
    keeping: Keeping,
    progress: WorkCounter | undefined,
  ) {
    this.#root = root;
    this.#index = index;
    this.#kept = kept;
    this.#keeping = keeping;
    this.#progress = progress;
    this.#counter = { expect: () => {}, add: (bytes) => progress?.add(bytes), itemDone: () => {} };
  }

  async save(found: readonly FoundFile[]): Promise<SavedDirectory> {
    const of = signatureOf(this.#root, found);
    const known = this.#index.folders.get(of);
    const kept = known ? undefined : await this.#kept?.load(this.#keeping);
    const folder = known ?? (kept?.of === of ? kept.folder : undefined);
    const relied = folder && (await this.#relyOnFolder(folder));
    if (kept && !relied) await this.#adopt(kept, found);
    const saved = relied ?? (await this.#saveAll(found));
    const { files, size, entries, contents } = saved;
    const sought = contents.map(({ key, bytes }) => ({ key, bytes }));
    const now = this.#isRemembered ? { files, size, entries, contents: sought } : undefined;
    if (now) this.#index.folders.set(of, now);
    if (!known && (this.#hasLearned || kept?.of !== of))
      await this.#kept?.save({ of, folder: now, packs: this.#packs }, this.#indexed(found), this.#keeping);
    return saved;
  }

  /** Takes over what another process knew of files that are as they were. */
  async #adopt({ packs }: FolderIndex, found: readonly FoundFile[]): Promise<void> {
    for (const [of, key] of packs) this.#index.packs.set(of, key);
    const stats = new Map(found.map((file) => [file.path, file.stats]));
    for await (const { path, of, key } of this.#kept?.files(this.#keeping) ?? []) {
      const now = stats.get(path);
      if (now && identityOf(now) === of) this.#index.adopt(this.#pathOf(path), of, key);
    }
  }

  /** What another process may take over. */
  *#indexed(found: readonly FoundFile[]): Generator<IndexedFile> {
    for (const { path, stats } of found) {
      const key = this.#index.keyOf(this.#pathOf(path), stats);
      if (key !== undefined) yield { path, of: identityOf(stats), key };
    }
  }

  /** One look, if the store has all that the folder was saved in. */
  async #relyOnFolder({ contents, ...folder }: KnownFolder): Promise<SavedDirectory | undefined> {
    const { session, place, signal } = this.#keeping;
    const sought = contents.map((content) => ({ ...content, place }));
    const found = (await session.rely(sought, { signal })).filter((content) => content !== undefined);
    const [listing] = found;
    if (!listing || found.length < contents.length) return undefined;
    this.#progress?.expect({ bytes: folder.size, items: folder.files });
    this.#progress?.add(folder.size);
    for (let file = 0; file < folder.files; file++) this.#progress?.itemDone();
    return { ...folder, listing: listing.key, contents: found };
  }

  async #saveAll(found: readonly FoundFile[]): Promise<SavedDirectory> {
    const size = sizeOf(found);
    this.#progress?.expect({ bytes: size, items: found.length });
    const plan = new PackPlan();
    const keys = await this.#digestSmall(found, plan);
    const large = found.filter(({ stats }) => stats.size > 0 && !isPacked(stats.size));
    await this.#relyOnKnown(plan.packs, large);
    for (const pack of plan.packs) await this.#savePack(pack);
    for (const file of large) keys.set(file, await this.#saveLarge(file));
    const { entries, packs } = entriesOf(found, keys, plan.packs);
    const bytes = encodeListing({ entries, packs });
    const { session, place, signal } = this.#keeping;
    const [listing] = (await session.put([{ bytes, place }], { signal })) as [StoredContent];
    this.#stored.delete(listing.key);
    const contents = [listing, ...this.#stored.values()];
    return { files: found.length, size, entries: entriesDigest(entries), listing: listing.key, contents };
  }

  /** The digests of small files; those that are not known are read, and others with them are then to be read for their pack. */
  async #digestSmall(found: readonly FoundFile[], plan: PackPlan): Promise<Map<FoundFile, ContentKey>> {
    const keys = new Map<FoundFile, ContentKey>();
    for (const file of found) {
      const { path, stats } = file;
      if (stats.size === 0) {
        keys.set(file, EMPTY_KEY);
        this.#progress?.itemDone();
      }
      if (!isPacked(stats.size)) continue;
      if (isTurnOver()) await this.#turn();
      const known = this.#index.keyOf(this.#pathOf(path), stats);
      const { key, bytes } = known === undefined ? this.#read(file) : { key: known, bytes: undefined };
      keys.set(file, key);
      plan.add({ ...file, key }, bytes);
    }
    plan.finish();
    return keys;
  }

  /** One look for all that is stored by what is known of it. */
  async #relyOnKnown(packs: readonly PlannedPack[], large: readonly FoundFile[]): Promise<void> {
    const { session, place, signal } = this.#keeping;
    const sought = new Map<ContentKey, SoughtContent>();
    for (const pack of packs) {
      pack.key ??= this.#index.packs.get(pack.of);
      if (pack.key !== undefined) sought.set(pack.key, { key: pack.key, bytes: pack.bytes, place });
    }
    for (const { path, stats } of large) {
      const key = this.#index.keyOf(this.#pathOf(path), stats);
      if (key !== undefined) sought.set(key, { key, bytes: stats.size, place });
    }
    for (const content of await session.rely([...sought.values()], { signal }))
      if (content) this.#stored.set(content.key, content);
  }

  async #savePack(pack: PlannedPack): Promise<void> {
    if (pack.key !== undefined && this.#stored.has(pack.key)) this.#counter.add(pack.bytes);
    else {
      const { session, place, signal, guard } = this.#keeping;
      const options = { place, signal, progress: this.#counter };
      const stored = await session.putStream(guard(this.#bytesOf(pack)), options);
      this.#stored.set(stored.key, stored);
      pack.key = stored.key;
    }
    this.#index.packs.set(pack.of, pack.key);
    this.#packs.push([pack.of, pack.key]);
    for (const _ of pack.files) this.#progress?.itemDone();
  }

  async *#bytesOf({ files }: PlannedPack): AsyncGenerator<Uint8Array> {
    for (const file of files) {
      if (isTurnOver()) await this.#turn();
      const { key, bytes } = this.#read(file);
      if (key !== file.key) throw changed(this.#pathOf(file.path), 'somebody wrote to it meanwhile');
      yield bytes;
    }
  }

  async #saveLarge({ path, stats }: FoundFile): Promise<ContentKey> {
    const { session, place, signal, guard } = this.#keeping;
    const full = this.#pathOf(path);
    const known = this.#index.keyOf(full, stats);
    const found = known === undefined ? undefined : this.#stored.get(known);
    if (found) this.#counter.add(found.bytes);
    const readAtMs = Date.now();
    const stored = found ?? (await this.#putFile(new LocalFile(full), { session, place, signal, guard }));
    if (stored.bytes !== stats.size) throw changed(full, 'somebody wrote to it meanwhile');
    this.#stored.set(stored.key, stored);
    if (!found) this.#remember(full, stats, stored.key, readAtMs);
    this.#progress?.itemDone();
    return stored.key;
  }

  async #putFile(file: LocalFile, { session, place, signal, guard }: Keeping): Promise<StoredContent> {
    const state = await file.state();
    const read = (): AsyncIterable<Uint8Array> => guard(file.readAs(state, { signal }));
    return session.putStream(read(), { place, signal, again: read, progress: this.#counter });
  }

  /** A small file, in the state in which it was found, until the next is read. By synchronous calls: a trip through the thread pool takes longer. */
  #read({ path, stats }: FoundFile | DigestedFile): { key: ContentKey; bytes: Uint8Array } {
    const full = this.#pathOf(path);
    const readAtMs = Date.now();
    const bytes = readWhole(full, stats, this.#memory);
    const key = digestHex(bytes);
    this.#remember(full, stats, key, readAtMs);
    return { key, bytes };
  }

  #remember(full: string, stats: FileStats, key: ContentKey, readAtMs: number): void {
    if (this.#index.keyOf(full, stats) === key) return;
    const isRemembered = this.#index.remember(full, stats, key, readAtMs);
    if (isRemembered) this.#hasLearned = true;
    else this.#isRemembered = false;
  }

  #pathOf(path: string): string {
    return join(this.#root, path);
  }

  async #turn(): Promise<void> {
    throwIfAborted(this.#keeping.signal);
    await nextTurn();
  }
}

function sizeOf(found: readonly FoundFile[]): number {
  return found.reduce((sum, { stats }) => sum + stats.size, 0);
}

/** All that was told of the files of a folder. */
function signatureOf(root: string, found: readonly FoundFile[]): string {
  const hasher = createHasher();
  let text = root;
  for (const { path, stats } of found) {
    text += `\n${path}\n${identityOf(stats)}`;
    if (text.length < 65_536) continue;
    hasher.update(Buffer.from(text));
    text = '';
  }
  return hasher.update(Buffer.from(text)).digestHex();
}

function readWhole(path: string, stats: FileStats, memory: Uint8Array): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, READ);
    const before = fstatSync(file);
    if (identityOf(before) !== identityOf(stats)) throw changed(path, 'somebody wrote to it meanwhile');
    const bytes = memory.subarray(0, stats.size);
    for (let read = 0; read < bytes.length; ) {
      const more = readSync(file, bytes, read, bytes.length - read, read);
      if (more === 0) throw changed(path, `it ended after ${read} bytes`);
      read += more;
    }
    if (identityOf(fstatSync(file)) !== identityOf(before))
      throw changed(path, 'somebody wrote to it meanwhile');
    return bytes;
  } catch (error) {
    throw faultOf(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function faultOf(path: string, error: unknown): unknown {
  const { syscall, code } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return code === 'ENOENT'
    ? notFound(path, error)
    : unreadable(path, `${messageOf(error)}.`, { systemCode: code }, error);
}

/** The entries of a listing, in its order, and the packs in the order in which entries name them. */
function entriesOf(
  found: readonly FoundFile[],
  keys: ReadonlyMap<FoundFile, ContentKey>,
  plans: readonly PlannedPack[],
): { entries: (DirectoryEntry | PackedFile)[]; packs: ContentKey[] } {
  const places = new Map<string, { pack: number; offset: number }>();
  const packs: ContentKey[] = [];
  for (const { files, key } of plans) {
    const known = packs.indexOf(key as ContentKey);
    const pack = known === -1 ? packs.push(key as ContentKey) - 1 : known;
    let offset = 0;
    for (const { path, stats } of files) {
      places.set(path, { pack, offset });
      offset += stats.size;
    }
  }
  const entries = found.map((file) => {
    const { path, stats } = file;
    const executable = process.platform !== 'win32' && (stats.mode & 0o100) !== 0;
    const entry = { path, size: stats.size, key: keys.get(file) as ContentKey, executable };
    const at = places.get(path);
    return at ? { ...entry, ...at } : entry;
  });
  return { entries, packs };
}
