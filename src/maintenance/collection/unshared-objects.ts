import { sessionOfPins } from '../../format/open-session.ts';
import { isSessionId } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../../storage/contract.ts';
import { deletePlainly, type Undeleted } from './deletion.ts';
import { allOf, type Marks } from './marks.ts';
import type { CollectedPlace } from './places.ts';
import { Cursor, type SortedLines } from './sorted-lines.ts';

/** What goes without the log, since nobody comes to rely on it: values of attempts, marks without an object, pins and beats of closed sessions. */
export class UnsharedObjects {
  /** What could not be deleted so far. */
  readonly undeleted: Undeleted[] = [];
  readonly #home: DataStoreStorage;
  readonly #places: ReadonlyMap<string, CollectedPlace>;
  readonly #call: CallOptions;

  constructor(home: DataStoreStorage, places: ReadonlyMap<string, CollectedPlace>, call: CallOptions) {
    this.#home = home;
    this.#places = places;
    this.#call = call;
  }

  /** Deletes values and marks at their places (model: `delete values`). */
  async deleteAtPlaces(
    values: SortedLines,
    orphans: SortedLines,
  ): Promise<{ deleted: { values: number; marks: number }; bytes: number }> {
    const gone = { deleted: { values: 0, marks: 0 }, bytes: 0 };
    for (const { id, storage } of this.#places.values()) {
      const { count, bytes } = await this.delete(objectsOf(values, id), storage);
      gone.deleted.values += count;
      gone.bytes += bytes;
      gone.deleted.marks += (await this.delete(objectsOf(orphans, id), storage)).count;
    }
    return gone;
  }

  /** Deletes pins and beats of sessions whose DONE this collector saw (model: `delete pins`). */
  async deleteOfClosed(marks: readonly Marks[]): Promise<{ pins: number; beats: number }> {
    const pins = await this.delete(this.#ofClosed('pins/', sessionOfPins, marks));
    const beats = await this.delete(this.#ofClosed('beats/', sessionOfBeat, marks));
    return { pins: pins.count, beats: beats.count };
  }

  /** True if a session whose DONE this collector saw has pins. */
  async hasPinsOfClosed(marks: readonly Marks[]): Promise<boolean> {
    for await (const _pins of this.#ofClosed('pins/', sessionOfPins, marks)) return true;
    return false;
  }

  delete(
    objects: AsyncIterable<ListedObject> | Iterable<ListedObject>,
    storage: DataStoreStorage = this.#home,
  ): Promise<{ count: number; bytes: number }> {
    return deletePlainly(storage, objects, { ...this.#call, undeleted: this.undeleted });
  }

  async *#ofClosed(
    prefix: string,
    sessionOf: (name: string) => string | undefined,
    marks: readonly Marks[],
  ): AsyncGenerator<ListedObject, void> {
    const closed = new Cursor(allOf(marks, 'closed'));
    try {
      for await (const page of this.#home.list({ prefix, ...this.#call })) {
        for (const object of page.objects) {
          const session = sessionOf(object.name);
          if (session !== undefined && closed.has(session)) yield object;
        }
      }
    } finally {
      closed.close();
    }
  }
}

/** The objects of lines of the form `<place>\t<name>`, and maybe `\t<bytes>`; at one place, if that is given. */
export function* objectsOf(lines: SortedLines, place?: string): Generator<ListedObject, void> {
  for (const line of lines.sorted()) {
    const [at, name = '', bytes = 0] = line.split('\t');
    if (place === undefined || at === place) yield { name, bytes: Number(bytes) };
  }
}

function sessionOfBeat(name: string): string | undefined {
  const [, session = '', ...more] = name.split('/');
  return more.length === 0 && isSessionId(session) ? session : undefined;
}
