import { type ListedCopy, listCopies } from '../../content/copies.ts';
import { isStowageError } from '../../errors.ts';
import type { CopyFolder } from '../../format/content-names.ts';
import { packsOf } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { lineOf } from './marks.ts';
import type { CollectedPlace } from './places.ts';
import { Cursor, SortedLines, type WorkFolder } from './sorted-lines.ts';

/** Tells whether a pack is about to be rewritten, so that a copy which does not name it is the better one. */
export type IsSparse = (place: string, pack: string) => boolean;

/**
 * Copies of contents that live, each of which nobody needs beside another one (model: `supersede`): writers that met left several, or one
 * was found damaged and written anew, or one was written for this (model: `rewrite`). Its packs go with the next collection, where nothing else names them.
 */
export class SupersededCopies {
  readonly #folder: WorkFolder;
  readonly #places: ReadonlyMap<string, CollectedPlace>;
  readonly #options: CallOptions;
  /** Of each: its line as an entry, and the name of the copy that supersedes it. */
  readonly #chosen: SortedLines;

  constructor(folder: WorkFolder, places: ReadonlyMap<string, CollectedPlace>, options: CallOptions) {
    this.#folder = folder;
    this.#places = places;
    this.#options = options;
    this.#chosen = new SortedLines(folder);
  }

  /** Has a copy go for another one of equal root, which was written for it behind the first mark. */
  add({ place, name, newName }: { place: string; name: string; newName: string }): void {
    this.#chosen.add(`${lineOf({ place, kind: 'copy', name })}\t${newName}`);
  }

  /**
   * Chooses of the copies of each key one that stays: the first that is not marked, and names no sparse pack, if there is one. Only copies of equal root supersede each other, since
   * rows tell the root; plain objects never, since people know their URIs.
   *
   * @param carried lines of entries that are condemned and not confirmed gone: a copy that is one, or names one, does not stay
   * @param several keys with more than one copy: place, folder and key, as {@link severalLine} writes them
   */
  async choose(several: SortedLines, carried: ReadonlySet<string>, isSparse: IsSparse): Promise<void> {
    for (const line of several.sorted()) {
      const [place = '', folder, key = ''] = line.split('\t');
      const at = this.#places.get(place);
      if (!at) continue;
      const copies = await listCopies(at.storage, folder as CopyFolder, key, this.#options);
      const byRoot = new Map<string, (ListedCopy & { isSparse: boolean; isCarried: boolean })[]>();
      for (const copy of copies) {
        const described = folder === 'data' ? { root: '', packs: [] } : await this.#describe(at, copy.name);
        if (!described) continue;
        const { root, packs } = described;
        const isCondemned = (kind: 'copy' | 'pack', name: string): boolean =>
          carried.has(lineOf({ place, kind, name }));
        if (isCondemned('copy', copy.name)) continue; // it goes anyway
        const isCarried = packs.some((pack) => isCondemned('pack', pack));
        const candidate = { ...copy, isCarried, isSparse: packs.some((pack) => isSparse(place, pack)) };
        byRoot.set(root, [...(byRoot.get(root) ?? []), candidate]);
      }
      for (const equal of byRoot.values()) {
        const unmarked = equal.filter(
          ({ name, marked, isCarried }) => !marked && !isCarried && !at.reader.hasFoundDamaged(name),
        );
        const stays = unmarked.find((copy) => !copy.isSparse) ?? unmarked[0];
        for (const { name } of stays ? equal : []) {
          if (name !== stays?.name) this.add({ place, name, newName: (stays as ListedCopy).name });
        }
      }
    }
  }

  /** Lines of the entries that were chosen to go. */
  names(): SortedLines {
    const names = new SortedLines(this.#folder);
    for (const line of this.#chosen.sorted()) names.add(line.slice(0, line.lastIndexOf('\t')));
    return names;
  }

  /**
   * Those of the proposed ones that may go, after the second mark: what supersedes them is read whole, and is what its key says. It is not
   * among what is condemned, nor are its packs: it lived at both marks, or is new, and names packs that did or are; and it is not carried, nor names what is.
   */
  async judged(proposed: SortedLines): Promise<SortedLines> {
    const may = new SortedLines(this.#folder);
    const isProposed = new Cursor(proposed.sorted());
    let last: { place: string; name: string; isWhole: boolean } | undefined;
    try {
      for (const line of this.#chosen.sorted()) {
        const end = line.lastIndexOf('\t');
        const [entry, name] = [line.slice(0, end), line.slice(end + 1)];
        if (!isProposed.has(entry)) continue;
        const [place = ''] = entry.split('\t');
        if (last?.place !== place || last.name !== name)
          last = { place, name, isWhole: await this.#isWhole(place, name) };
        if (last.isWhole) may.add(entry);
      }
    } finally {
      isProposed.close();
    }
    return may;
  }

  /** `undefined` for a plain object's locator, and for what is gone or cannot be read, which is left alone. */
  async #describe(
    { reader }: CollectedPlace,
    name: string,
  ): Promise<{ root: string; packs: string[] } | undefined> {
    try {
      const manifest = await reader.manifestOf(name, this.#options);
      return manifest && { root: manifest.root, packs: packsOf(manifest) };
    } catch (error) {
      if (isStowageError(error, 'CONTENT_DAMAGED', 'UNSUPPORTED_FORMAT')) return undefined;
      throw error;
    }
  }

  async #isWhole(place: string, name: string): Promise<boolean> {
    const at = this.#places.get(place);
    if (!at) return false;
    try {
      await at.reader.verifyCopy(name, this.#options);
      return true;
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_DAMAGED', 'CONTENT_NOT_FOUND', 'UNSUPPORTED_FORMAT')) throw error;
      if (error.code === 'CONTENT_DAMAGED') await at.reader.reportDamage(error, name);
      return false;
    }
  }
}

/** A key of which a place has several copies. */
export function severalLine(place: string, folder: CopyFolder, key: string): string {
  return `${place}\t${folder}\t${key}`;
}
