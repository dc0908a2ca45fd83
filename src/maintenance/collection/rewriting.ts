import type { ContentStore } from '../../content/content-store.ts';
import { listCopies } from '../../content/copies.ts';
import { isStowageError, throwIfAborted } from '../../errors.ts';
import { parseCopyName } from '../../format/content-names.ts';
import { releaseSession, StandaloneSession } from '../../sessions/standalone-session.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { Rewrite } from './collection-options.ts';
import { NOTHING_REWRITTEN, type RewrittenPacks } from './collection-result.ts';
import type { CollectedPlace } from './places.ts';
import { type SparsePack, writtenFor } from './sparse-packs.ts';

/** A copy that is to be written anew, and the packs that the new one leaves. */
interface CopyToRewrite {
  place: string;
  name: string;
  leaving: Set<string>;
}

/** Told of a copy that was written anew. */
type OnRewritten = (copy: { place: string; name: string; newName: string }) => void;

/**
 * Copies that are written anew without the packs of which much is dead, so that these go with the next collection. Nothing of it is
 * deleted here: the old copy is superseded by the new one, if that is whole (model: `rewrite`).
 */
export class Rewriting {
  readonly #places: ReadonlyMap<string, CollectedPlace>;
  readonly #packs: readonly SparsePack[];

  private constructor(places: ReadonlyMap<string, CollectedPlace>, packs: readonly SparsePack[]) {
    this.#places = places;
    this.#packs = packs;
  }

  /**
   * Leaves out packs that would not go: a copy that names one is marked as damaged, or has another copy of its key beside it, of which one
   * goes before anything is rewritten. One LIST for each copy.
   */
  static async plan(
    places: ReadonlyMap<string, CollectedPlace>,
    packs: readonly SparsePack[],
    { only, ...options }: CallOptions & Pick<Rewrite, 'only'>,
  ): Promise<Rewriting> {
    const isAlone = new Map<string, boolean>();
    const usable: SparsePack[] = [];
    for (const pack of packs) {
      let isUsable = true;
      for (const name of pack.copies.keys()) {
        const id = `${pack.place}\t${name}`;
        if (!isAlone.has(id)) isAlone.set(id, await hasNoOther(places.get(pack.place), name, options));
        isUsable &&= isAlone.get(id) === true;
        if (!isUsable) break;
      }
      if (isUsable) usable.push(pack);
    }
    // A manifest that two packs shared counts for what is left.
    const chosen = new Set<string>();
    const worth = usable.filter((pack) => {
      if (!only && writtenFor(pack, chosen) >= pack.bytes) return false;
      for (const copy of pack.copies.keys()) chosen.add(copy);
      return true;
    });
    return new Rewriting(places, worth);
  }

  /** What is to be written, and what that frees. */
  get planned(): RewrittenPacks {
    const chosen = new Set<string>();
    const planned = { copies: 0, packs: this.#packs.length, writtenBytes: 0, freedBytes: 0 };
    for (const pack of this.#packs) {
      planned.writtenBytes += writtenFor(pack, chosen);
      planned.freedBytes += pack.bytes;
      for (const copy of pack.copies.keys()) chosen.add(copy);
    }
    return { ...planned, copies: chosen.size };
  }

  /**
   * Writes the copies, one after the other, under a session of their own, which is open until all are there. A copy that cannot be read
   * stays as it is, and so do its packs; what is found damaged is marked.
   */
  async carryOut(
    content: ContentStore,
    onRewritten: OnRewritten,
    options: CallOptions,
  ): Promise<RewrittenPacks> {
    const copies = this.#copies();
    if (copies.length === 0) return NOTHING_REWRITTEN;
    const standalone = await StandaloneSession.open(content, options);
    const kept = new Set<string>();
    let rewritten = 0;
    try {
      for (const copy of copies) {
        throwIfAborted(options.signal);
        const newName = await this.#rewrite(standalone, copy, options);
        if (newName === undefined) for (const pack of copy.leaving) kept.add(`${copy.place}\t${pack}`);
        else {
          rewritten += 1;
          onRewritten({ ...copy, newName });
        }
      }
      // What replaces the old copies is durable before anything of them is condemned.
      await standalone.done([], options);
    } catch (error) {
      await standalone.fail(error);
      throw error;
    }
    await releaseSession(content.storage, standalone.session.id, options);
    const left = this.#packs.filter(({ place, name }) => !kept.has(`${place}\t${name}`));
    return { ...new Rewriting(this.#places, left).planned, copies: rewritten };
  }

  /** Those that share packs follow each other, so that what one moved is known for the next. */
  #copies(): CopyToRewrite[] {
    const byCopy = new Map<string, CopyToRewrite>();
    const inOrder = [...this.#packs].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { place, name: pack, copies } of inOrder) {
      for (const name of copies.keys()) {
        const copy = byCopy.get(`${place}\t${name}`) ?? { place, name, leaving: new Set<string>() };
        byCopy.set(`${place}\t${name}`, copy);
        copy.leaving.add(pack);
      }
    }
    return [...byCopy.values()];
  }

  async #rewrite(
    { session }: StandaloneSession,
    { place, name, leaving }: CopyToRewrite,
    options: CallOptions,
  ): Promise<string | undefined> {
    try {
      return (await session.repack(name, leaving, { ...options, place }))?.copy;
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_DAMAGED', 'CONTENT_NOT_FOUND', 'UNSUPPORTED_FORMAT')) throw error;
      if (error.code === 'CONTENT_DAMAGED') await this.#places.get(place)?.reader.reportDamage(error, name);
      return undefined;
    }
  }
}

async function hasNoOther(
  at: CollectedPlace | undefined,
  name: string,
  options: CallOptions,
): Promise<boolean> {
  const key = parseCopyName(name)?.key;
  if (!at || key === undefined) return false;
  const copies = await listCopies(at.storage, 'manifests', key, options);
  return copies.length === 1 && copies[0]?.name === name && !copies[0].marked;
}
