import { BoundedWork } from '../../async/bounded-work.ts';
import { isStowageError } from '../../errors.ts';
import { isDamagedMark, parseCopyName } from '../../format/content-names.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { CollectedPlace } from '../collection/places.ts';
import { SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';

/** Something that uses an object: what it belongs to, and the artifact by a number; `''` for what is no artifact. */
export interface ObjectUser {
  unit: string;
  artifact: string;
}

/** An object, and all that use it. */
export interface UsedObject {
  bytes: number;
  users: ObjectUser[];
}

/** So many manifests are read at once. */
const CONCURRENCY = 16;

/**
 * The stored objects that contents lie in, and what uses each, on disk: so that what goes is told from what something that stays uses as well.
 * Memory holds the users of one content at a time.
 */
export class ContentUse {
  /** Contents: place, key, unit, artifact. */
  readonly #keys: SortedLines;
  /** Objects: place, name, bytes, unit, artifact. */
  readonly #objects: SortedLines;

  constructor(folder: WorkFolder) {
    this.#keys = new SortedLines(folder);
    this.#objects = new SortedLines(folder);
  }

  /** Notes that something uses a content. */
  addContent({ place, kind, name }: ContentRef, { unit, artifact }: ObjectUser): void {
    if (kind === 'key' && !/[\t\n]/.test(place + name))
      this.#keys.add(`${place}\t${name}\t${unit}\t${artifact}`);
  }

  /** Notes that something uses an object, or a part of one, that nothing else shares. */
  addOwn(place: string, name: string, bytes: number, user: ObjectUser): void {
    this.#add(place, name, bytes, user);
  }

  /**
   * Finds the objects of all contents, by one LIST of all copies, which tells their lengths, and one GET for each manifest.
   *
   * @param places where content is looked for; what lies at others counts nothing
   */
  async findObjects(places: Iterable<CollectedPlace>, options: CallOptions): Promise<void> {
    for (const place of places) {
      for (const folder of ['data/', 'manifests/'] as const) await this.#findCopies(place, folder, options);
    }
  }

  /** All objects, each with all that use it. May be asked for several times. */
  *objects(): Generator<UsedObject, void> {
    let current: (UsedObject & { id: string }) | undefined;
    for (const line of this.#objects.sorted()) {
      const [place = '', name = '', bytes, unit = '', artifact = ''] = line.split('\t');
      const id = `${place}\t${name}`;
      if (current?.id !== id) {
        if (current) yield current;
        current = { id, bytes: Number(bytes), users: [] };
      }
      current.users.push({ unit, artifact });
    }
    if (current) yield current;
  }

  async #findCopies(place: CollectedPlace, prefix: string, options: CallOptions): Promise<void> {
    const users = new Users(this.#keys.sorted(), place.id);
    const work = new BoundedWork(CONCURRENCY);
    try {
      for await (const page of place.storage.list({ prefix, signal: options.signal })) {
        for (const { name } of page.objects) {
          const copy = isDamagedMark(name) ? undefined : parseCopyName(name);
          const of = copy ? users.of(copy.key) : [];
          if (!copy || of.length === 0) continue;
          for (const user of of) this.#add(place.id, name, copy.bytes, user);
          if (copy.folder === 'manifests') await work.begin(() => this.#addNamed(place, name, of, options));
        }
      }
      await work.finish();
    } finally {
      users.close();
      await work.settle();
    }
  }

  /** What a manifest or locator names. One that cannot be read names nothing that could be told. */
  async #addNamed(
    { id, reader }: CollectedPlace,
    name: string,
    users: readonly ObjectUser[],
    options: CallOptions,
  ): Promise<void> {
    try {
      const described = await reader.describeCopy(name, options);
      if (!described) return; // gone since it was listed
      const { packs, plain, stored } = described;
      for (const user of users) {
        for (const pack of packs) this.#add(id, pack.name, pack.bytes, user);
        if (plain !== undefined) this.#add(id, plain, stored.bytes, user);
      }
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
    }
  }

  #add(place: string, name: string, bytes: number, { unit, artifact }: ObjectUser): void {
    this.#objects.add([place, name, bytes, unit, artifact].join('\t'));
  }
}

/** The users of one content after the other, in the order of keys. */
class Users {
  readonly #lines: Iterator<string, void>;
  readonly #place: string;
  #next: string | undefined;
  #last: { key: string; users: ObjectUser[] } | undefined;

  constructor(lines: Iterator<string, void>, place: string) {
    this.#lines = lines;
    this.#place = place;
    this.#advance();
  }

  of(key: string): readonly ObjectUser[] {
    if (this.#last?.key === key) return this.#last.users;
    const users: ObjectUser[] = [];
    while (this.#next !== undefined) {
      const [place = '', name = '', unit = '', artifact = ''] = this.#next.split('\t');
      if (place > this.#place || (place === this.#place && name > key)) break;
      if (place === this.#place && name === key) users.push({ unit, artifact });
      this.#advance();
    }
    this.#last = { key, users };
    return users;
  }

  close(): void {
    this.#lines.return?.();
  }

  #advance(): void {
    this.#next = this.#lines.next().value ?? undefined;
  }
}
