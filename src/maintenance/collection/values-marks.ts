import { SESSION_PATTERN } from '../../format/session-id.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { KeptValues } from './kept-by-session.ts';
import type { CollectedPlace } from './places.ts';
import type { ListedSession } from './session-listing.ts';
import { Cursor, SortedLines, type WorkFolder } from './sorted-lines.ts';

const nameRegExp = new RegExp(`^(values(?:/[^/]+){4}/\\d+\\.)(${SESSION_PATTERN})-\\d{8}$`);

/** An object of values that nothing keeps. */
export interface DeadValues {
  place: string;
  name: string;
  bytes: number;
  /** When it was written, by the storage's clock, where its attempt has no file at all: it is garbage only once it is old. */
  unownedSinceMs?: number;
}

/**
 * Decides what of `values/` is dead, without the collector's log: no other attempt refers to it. Objects are listed before sessions are
 * read, and these before descriptions (model: `list values`, `mark`, `read`), so that whoever wrote one is seen as open, or its description is.
 */
export class ValueMarks {
  readonly #folder: WorkFolder;
  /** Of each listed object: the beginning of its name that tells the attempt, place, name, time, bytes. */
  readonly #listed: SortedLines;
  readonly #open: SortedLines;
  readonly #closed: SortedLines;
  readonly #kept: SortedLines;

  constructor(folder: WorkFolder) {
    this.#folder = folder;
    this.#listed = new SortedLines(folder);
    this.#open = new SortedLines(folder);
    this.#closed = new SortedLines(folder);
    this.#kept = new SortedLines(folder);
  }

  async list(places: Iterable<CollectedPlace>, { signal }: CallOptions): Promise<void> {
    for (const { id, storage } of places) {
      for await (const page of storage.list({ prefix: 'values/', details: true, signal })) {
        for (const { name, bytes = 0, modifiedAtMs = Date.now() } of page.objects) {
          const [, base] = nameRegExp.exec(name) ?? [];
          if (base !== undefined) this.#listed.add(`${base}\t${id}\t${name}\t${modifiedAtMs}\t${bytes}`);
        }
      }
    }
  }

  ofOpen({ values }: ListedSession): void {
    if (values !== undefined) this.#open.add(values);
  }

  ofClosed({ values }: ListedSession, kept: readonly KeptValues[]): void {
    if (values === undefined) return;
    this.#closed.add(values);
    for (const { place, name } of kept) this.#kept.add(`${values}\t${place}\t${name}`);
  }

  /** The objects that nothing keeps, once all sessions were read. */
  *dead(openSessions: Iterable<string>): Generator<DeadValues, void> {
    const bySession = this.#unkept();
    const open = new Cursor(openSessions);
    try {
      for (const line of bySession.sorted()) {
        const [session = '', place = '', name = '', bytes, sinceMs = ''] = line.split('\t');
        if (open.has(session)) continue;
        const dead = { place, name, bytes: Number(bytes) };
        yield sinceMs === '' ? dead : { ...dead, unownedSinceMs: Number(sinceMs) };
      }
    } finally {
      open.close();
    }
  }

  #unkept(): SortedLines {
    const bySession = new SortedLines(this.#folder);
    const cursors = [this.#open, this.#closed, this.#kept].map((lines) => new Cursor(lines.sorted()));
    const [open, closed, kept] = cursors as [Cursor, Cursor, Cursor];
    try {
      for (const line of this.#listed.sorted()) {
        const [base = '', place = '', name = '', writtenAtMs = '', bytes = ''] = line.split('\t');
        if (open.has(base) || kept.has(`${base}\t${place}\t${name}`)) continue;
        const [, , session = ''] = nameRegExp.exec(name) ?? [];
        bySession.add(`${session}\t${place}\t${name}\t${bytes}\t${closed.has(base) ? '' : writtenAtMs}`);
      }
    } finally {
      for (const cursor of cursors) cursor.close();
    }
    return bySession;
  }
}
