import type { ContentRef } from '../format/content-ref.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { OwnValue } from '../format/own-values.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { ContentObjects, ContentObjectsFinder } from './content-objects.ts';

/** The things below a path, and the bytes that they take. */
export interface StorageUse {
  runs: number;
  tasks: number;
  attempts: number;
  artifacts: number;
  /** Different contents, inline values not among them; what lies at two places counts at each. */
  contents: number;
  /** The large ones of these that could not be looked at, and are counted as their records say. */
  unseenContents: number;
  /** Bytes of all that is kept, each time it was saved: serialized artifacts, what they refer to, and what lies beside them. */
  bytes: number;
  /** The same, but equal contents, and equal parts of large ones, count once. */
  uniqueBytes: number;
  /**
   * The stored bytes of that: compressed, the inline values, and the records of traces and checkpoints. A content that is stored twice, in chunks
   * and as a plain object, counts twice here.
   */
  storedBytes: number;
  /** The part of `storedBytes` that inline values and records are, each time one was saved. */
  inlineBytes: number;
  /** `bytes / uniqueBytes`; `null` where there is nothing. */
  dedupRatio: number | null;
  /** `uniqueBytes / storedBytes`; `null` where there is nothing. */
  compressionRatio: number | null;
  /** `storedBytes / bytes`; `null` where there is nothing. */
  storedRatio: number | null;
  /** `bytes - uniqueBytes`, and `uniqueBytes - storedBytes`; 0 where what surrounds stored bytes is longer than what is saved. */
  savedByDedup: number;
  savedByCompression: number;
}

/** The thing that is being counted: a run, a task of it, or an attempt of that. */
export interface Place {
  run: string;
  task?: string;
  attempt?: number;
}

/**
 * Counts artifacts and what is kept beside them, and what they take up. What contents share is known by the objects they lie in, of which each counts once;
 * but such an object (a pack) may hold much that is not counted here, so that a content never counts more than it takes alone.
 */
export class Tally {
  readonly #finder: ContentObjectsFinder;
  /** What has been counted: contents, copies of them, values of attempts' own. */
  readonly #ids = new Set<string>();
  readonly #objects = new Map<string, number>();
  readonly #counts = { runs: 0, tasks: 0, attempts: 0, artifacts: 0 };
  #last: Place | undefined;
  #bytes = 0;
  #inlineBytes = 0;
  /** The different contents, their bytes, and those that each of their copies takes up alone. */
  #contents = 0;
  #contentBytes = 0;
  #aloneBytes = 0;
  #unseenContents = 0;

  /** All tallies of one count share a finder. */
  constructor(finder: ContentObjectsFinder) {
    this.#finder = finder;
  }

  /** Counts a run, task or attempt, once: they are visited in order. */
  visit(place: Place): void {
    const { run, task, attempt } = this.#last ?? {};
    const isNewRun = place.run !== run;
    const isNewTask = isNewRun || place.task !== task;
    if (isNewRun) this.#counts.runs += 1;
    if (isNewTask && place.task !== undefined) this.#counts.tasks += 1;
    if ((isNewTask || place.attempt !== attempt) && place.attempt !== undefined) this.#counts.attempts += 1;
    this.#last = place;
  }

  countArtifact(): void {
    this.#counts.artifacts += 1;
  }

  /** Adds the bytes of a row, and not of what it refers to. */
  async addRow({ key, bytes, content, own }: ArtifactEntry): Promise<void> {
    this.#bytes += bytes;
    if (content) this.#add({ ...content, key }, bytes, await this.#finder.objectsOf({ ...content, key }));
    else if (own) this.#addOwn(bytes, own);
    else this.#inlineBytes += bytes;
  }

  /** Adds a content whose length is known. */
  async addContent(content: StoredContent): Promise<void> {
    this.#bytes += content.bytes;
    this.#add(content, content.bytes, await this.#finder.objectsOf(content));
  }

  /** Adds a content that a value refers to by its key. */
  async addRef(ref: ContentRef): Promise<void> {
    const objects = await this.#finder.objectsOfKey(ref);
    this.#bytes += objects.bytes;
    this.#add({ key: ref.name, place: ref.place }, objects.bytes, objects);
  }

  /** Adds a record, which shares nothing. */
  addRecord(bytes: number): void {
    this.#bytes += bytes;
    this.#inlineBytes += bytes;
  }

  use(): StorageUse {
    const bytes = this.#bytes;
    let objectBytes = 0;
    for (const length of this.#objects.values()) objectBytes += length;
    const contentStoredBytes = Math.min(objectBytes, this.#aloneBytes);
    const storedBytes = contentStoredBytes + this.#inlineBytes;
    const shared = this.#aloneBytes === 0 ? 1 : contentStoredBytes / this.#aloneBytes;
    const uniqueBytes = Math.round(this.#contentBytes * shared) + this.#inlineBytes;
    return {
      ...this.#counts,
      contents: this.#contents,
      unseenContents: this.#unseenContents,
      bytes,
      uniqueBytes,
      storedBytes,
      inlineBytes: this.#inlineBytes,
      dedupRatio: ratio(bytes, uniqueBytes),
      compressionRatio: ratio(uniqueBytes, storedBytes),
      storedRatio: ratio(storedBytes, bytes),
      savedByDedup: Math.max(0, bytes - uniqueBytes),
      savedByCompression: Math.max(0, uniqueBytes - storedBytes),
    };
  }

  /** A value of an attempt's own is shared by nothing else. */
  #addOwn(bytes: number, { object, offset, storedBytes, place = HERE }: OwnValue): void {
    const id = `${place}/${object}/${offset}`;
    if (!this.#isNew(id)) return;
    this.#contents += 1;
    this.#contentBytes += bytes;
    this.#aloneBytes += storedBytes;
    this.#objects.set(id, storedBytes);
  }

  #add(
    { key, place = HERE }: Pick<StoredContent, 'key' | 'place'>,
    bytes: number,
    objects: ContentObjects,
  ): void {
    // What lies at two places is two contents.
    if (this.#isNew(`${place}/${key}`)) {
      this.#contents += 1;
      this.#contentBytes += bytes;
      if (!objects.isSeen) this.#unseenContents += 1;
    }
    for (const { copy, storedBytes } of objects.copies)
      if (this.#isNew(`${place}/${copy}`)) this.#aloneBytes += storedBytes;
    for (const [name, length] of objects.sizes) this.#objects.set(`${place}/${name}`, length);
  }

  #isNew(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    return true;
  }
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
