import { BoundedWork } from '../../async/bounded-work.ts';
import { isStowageError, type StowageError } from '../../errors.ts';
import {
  type CopyFolder,
  type CopyName,
  damagedMarkOf,
  isDamagedMark,
  isPackName,
  isPlainName,
  parseCopyName,
} from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { CallOptions, ListedObject } from '../../storage/contract.ts';
import type { CollectionMemory, NamedByCopy } from './collection-memory.ts';
import { allOf, lineOf, type Marks, sizeLine } from './marks.ts';
import type { CollectedPlace } from './places.ts';
import { Cursor, SortedLines, type WorkFolder } from './sorted-lines.ts';
import { type SparsePacks, stretchesOf } from './sparse-packs.ts';
import { severalLine } from './superseded-copies.ts';

/** So many manifests are read at once. */
const CONCURRENCY = 16;

/** What a reading of objects fills. */
export interface DeadObjects {
  /** Copies, packs and plain objects that nothing keeps: lines of entries. */
  readonly dead: SortedLines;
  /** Marks of damage whose object is gone: place and name. */
  readonly orphans: SortedLines;
  /** Keys that live and have several copies. */
  readonly several: SortedLines;
  /** The bytes of each that is dead: its line as an entry, and a number. */
  readonly sizes: SortedLines;
  /** Told of every manifest that lives. Default: nobody. */
  readonly sparse?: SparsePacks | undefined;
  /** What an earlier collection read of copies. Default: nothing. */
  readonly memory?: CollectionMemory | undefined;
}

/**
 * Lists the objects of one place and finds those that nothing keeps (model: `list`): first the copies, of which those that live keep their
 * packs and plain objects, then these. An object that carries the id of an open session lives.
 *
 * @param marks those of this reading last; what it finds alive is added to them
 * @throws StowageError `CONTENT_DAMAGED` where no manifest of a key that lives can be read; `UNSUPPORTED_FORMAT`
 */
export class ObjectMarker {
  readonly #folder: WorkFolder;
  readonly #place: CollectedPlace;
  readonly #marks: readonly Marks[];
  readonly #found: DeadObjects;
  readonly #options: CallOptions;

  constructor(
    folder: WorkFolder,
    place: CollectedPlace,
    marks: readonly Marks[],
    found: DeadObjects,
    options: CallOptions,
  ) {
    this.#folder = folder;
    this.#place = place;
    this.#marks = marks;
    this.#found = found;
    this.#options = options;
  }

  async mark(): Promise<void> {
    this.#found.memory?.rewindCopies();
    await this.#markCopies('data');
    await this.#markCopies('manifests');
    await this.#markNamed('packs/', 'pack', isPackName, (name) => name.split('/')[1]);
    await this.#markNamed(
      'plain/',
      'plain',
      isPlainName,
      (name) => name.slice('plain/'.length).split('-')[0],
    );
  }

  async #markCopies(folder: CopyFolder): Promise<void> {
    const undecided = new SortedLines(this.#folder);
    const live = new Cursor(allOf(this.#marks, 'live'));
    const known = new Cursor(allOf(this.#marks, 'described'));
    const work = new BoundedWork(CONCURRENCY);
    let group: { key: string; names: string[]; isReadable: boolean } | undefined;
    let last: string | undefined;
    const endGroup = async (): Promise<void> => {
      const ended = group;
      group = undefined;
      if (ended && ended.names.length > 0)
        await work.begin(() => this.#describe(ended.names, ended.isReadable));
    };
    try {
      for await (const { name } of this.#objects(`${folder}/`)) {
        const parsed = parseCopyName(name);
        if (!parsed) continue;
        if (!live.has(lineOf({ place: this.#place.id, kind: 'key', name: parsed.key }))) {
          undecided.add(this.#undecided(parsed.session, { kind: 'copy', name }, parsed.bytes));
          continue;
        }
        if (parsed.key === last) this.#found.several.add(severalLine(this.#place.id, folder, parsed.key));
        last = parsed.key;
        if (folder === 'manifests') {
          if (group?.key !== parsed.key) await endGroup();
          group ??= { key: parsed.key, names: [], isReadable: false };
          if (known.has(`${this.#place.id}\t${name}`) || this.#isRemembered(name)) group.isReadable = true;
          else group.names.push(name);
        }
      }
      await endGroup();
      await this.#decide(undecided, async ({ name }) => {
        const { folder: of } = parseCopyName(name) as CopyName;
        if (of === 'manifests') await work.begin(() => this.#describe([name], false));
      });
      await work.finish();
    } finally {
      live.close();
      known.close();
      await work.settle();
    }
  }

  async #markNamed(
    prefix: string,
    kind: 'pack' | 'plain',
    isName: (name: string) => boolean,
    sessionOf: (name: string) => string | undefined,
  ): Promise<void> {
    const undecided = new SortedLines(this.#folder);
    const live = new Cursor(allOf(this.#marks, 'live'));
    try {
      for await (const { name, bytes } of this.#objects(prefix, { details: true })) {
        if (!isName(name) || live.has(lineOf({ place: this.#place.id, kind, name }))) continue;
        undecided.add(this.#undecided(sessionOf(name) ?? '', { kind, name }, bytes));
      }
      await this.#decide(undecided, async () => {});
    } finally {
      live.close();
    }
  }

  /** What carries the id of an open session lives; everything else that is undecided is dead. */
  async #decide(undecided: SortedLines, onLive: (ref: ContentRef) => Promise<void>): Promise<void> {
    const open = new Cursor(allOf(this.#marks, 'open'));
    try {
      for (const line of undecided.sorted()) {
        const [session = '', kind, name = '', bytes] = line.split('\t');
        const ref: ContentRef = { place: this.#place.id, kind: kind as ContentRef['kind'], name };
        if (open.has(session)) {
          await onLive(ref);
          continue;
        }
        this.#found.dead.add(lineOf(ref));
        this.#found.sizes.add(sizeLine(ref, Number(bytes)));
      }
    } finally {
      open.close();
    }
  }

  #undecided(session: string, { kind, name }: Pick<ContentRef, 'kind' | 'name'>, bytes = 0): string {
    return `${session}\t${kind}\t${name}\t${bytes}`;
  }

  /** The objects below a prefix. Marks of damage that mark nothing are noted; names that nobody here gives are let be. */
  async *#objects(prefix: string, { details = false } = {}): AsyncGenerator<ListedObject, void> {
    let last: string | undefined;
    const { signal } = this.#options;
    for await (const page of this.#place.storage.list({ prefix, details, signal })) {
      for (const object of page.objects) {
        const { name } = object;
        const isOwn = isObjectName(name);
        // A plain object may be named like a mark.
        if (isDamagedMark(name)) {
          if (last !== undefined && damagedMarkOf(last) === name) continue;
          const isOrphan = !isOwn && isObjectName(name.slice(0, -damagedMarkOf('').length));
          if (isOrphan) this.#found.orphans.add(`${this.#place.id}\t${name}`);
        }
        if (!isOwn) continue;
        last = name;
        yield object;
      }
    }
  }

  #isRemembered(name: string): boolean {
    const { memory, sparse } = this.#found;
    const remembered = memory?.copy(this.#place.id, name, sparse !== undefined);
    if (remembered) this.#keepNamed(name, remembered);
    return remembered !== undefined;
  }

  #keepNamed(name: string, named: NamedByCopy): void {
    const { id: place } = this.#place;
    const { memory, sparse } = this.#found;
    const marks = this.#marks.at(-1) as Marks;
    for (const pack of named.packs) marks.keep({ place, kind: 'pack', name: pack });
    if (named.plain !== undefined) marks.keep({ place, kind: 'plain', name: named.plain });
    marks.described.add(`${place}\t${name}`);
    if (named.stretches) sparse?.note(place, name, named.stretches);
    memory?.rememberCopy(place, name, named);
  }

  /**
   * Keeps what copies of one key name. One that cannot be read names nothing that anybody could read, as long as another can be read.
   *
   * @param isOneRead another copy of the key was read before
   */
  async #describe(names: readonly string[], isOneRead: boolean): Promise<void> {
    const { reader } = this.#place;
    const { sparse } = this.#found;
    let failure: StowageError | undefined;
    let isReadable = isOneRead;
    for (const name of names) {
      try {
        const described = await reader.describeCopy(name, this.#options);
        if (!described) continue; // gone since it was listed
        isReadable = true;
        const { manifest, plain } = described;
        const packs = described.packs.map((pack) => pack.name);
        const stretches = sparse && manifest && (await stretchesOf(reader, name, manifest, this.#options));
        this.#keepNamed(name, { packs, plain, stretches });
      } catch (error) {
        if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
        failure ??= error;
      }
    }
    if (failure && !isReadable) throw failure;
  }
}

function isObjectName(name: string): boolean {
  return parseCopyName(name) !== undefined || isPackName(name) || isPlainName(name);
}
