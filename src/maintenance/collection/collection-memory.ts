import { join } from 'node:path';
import type { ContentStore } from '../../content/content-store.ts';
import { digestHex } from '../../digest/blake3.ts';
import type { ContentRef } from '../../format/content-ref.ts';
import type { Outcome } from '../../format/session-files.ts';
import { rootOf } from '../../storage/canonical-address.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { KeptValues } from './kept-by-session.ts';
import { keepLatest, RememberedLines, writeRemembered } from './remembered-lines.ts';
import type { ListedSession } from './session-listing.ts';
import { SortedLines, type WorkFolder } from './sorted-lines.ts';
import type { CopyStretches } from './sparse-packs.ts';

/** What a session that is closed keeps. */
export interface ClosedSession {
  readonly session: string;
  readonly outcome: Outcome;
  readonly refs: readonly ContentRef[];
  readonly values: readonly KeptValues[];
}

/** What a manifest or a locator names. */
export interface NamedByCopy {
  readonly packs: readonly string[];
  readonly plain?: string | undefined;
  readonly stretches?: CopyStretches | undefined;
}

type Kind = 'loose' | 'flows' | 'copies';

const KINDS: readonly Kind[] = ['loose', 'flows', 'copies'];
/** Changes whenever what is written here does, so that nobody takes it for something else. */
const VERSION = 1;
/** A store has three files; those of so many stores stay. */
const STORES = 16;
/** So much of each kind is remembered of a store, and so much of one session or copy. */
const MAX_BYTES = 1024 * 1024 * 1024;
const MAX_LINE_BYTES = 256 * 1024;

/**
 * What collections of a store on this machine read before of what never changes: what closed sessions refer to, and what manifests name. It is
 * taken only for what a listing shows as it was then: of a session all files with their lengths and times, of a copy its name. A memory that is lost,
 * damaged or another's costs a reading.
 */
export class CollectionMemory {
  /** Sessions and copies that were not read for it. */
  readonly taken: { sessions: number; copies: number } = { sessions: 0, copies: 0 };
  readonly #path: string;
  readonly #folder: string;
  readonly #header: string;
  readonly #open = new Map<Kind, RememberedLines>();
  readonly #lines: Readonly<Record<Kind, SortedLines>>;
  readonly #bytes: Record<Kind, number> = { loose: 0, flows: 0, copies: 0 };

  private constructor(folder: string, id: string, work: WorkFolder) {
    this.#folder = folder;
    this.#path = join(folder, id);
    this.#header = JSON.stringify({ stowage: 'collection', version: VERSION, id });
    const lines = (): SortedLines => new SortedLines(work);
    this.#lines = { loose: lines(), flows: lines(), copies: lines() };
  }

  /** The memory of a store, which lies in `folder`. One that was copied, or moved, has another one. */
  static async of(
    content: ContentStore,
    folder: string,
    work: WorkFolder,
    options: CallOptions,
  ): Promise<CollectionMemory> {
    const where = digestHex(Buffer.from(rootOf(content.storage))).slice(0, 16);
    return new CollectionMemory(folder, `${await content.storeId(options)}-${where}`, work);
  }

  /** What a listed session keeps; sessions are asked for in the order of their names, those of each folder. */
  session(listed: ListedSession): ClosedSession | undefined {
    const { fingerprint } = listed;
    if (fingerprint === undefined || !listed.files.has('done')) return undefined;
    const value = this.#read(kindOf(listed)).find(keyOf(listed));
    const told = `${fingerprint}\t`;
    if (!value?.startsWith(told)) return undefined;
    const [session, outcome, refs, values] = JSON.parse(value.slice(told.length));
    const found: ClosedSession = { session, outcome, refs: refs.map(refOf), values: values.map(valuesOf) };
    this.taken.sessions += 1;
    this.rememberSession(listed, found);
    return found;
  }

  rememberSession(listed: ListedSession, { session, outcome, refs, values }: ClosedSession): void {
    const { fingerprint } = listed;
    if (fingerprint === undefined) return;
    const named = refs.map(({ place, kind, name }) => [place, kind, name]);
    const own = values.map(({ place, name }) => [place, name]);
    const value = JSON.stringify([session, outcome, named, own]);
    this.#add(kindOf(listed), `${keyOf(listed)}\t${fingerprint}\t${value}`);
  }

  /** What a listed copy names; copies of a place are asked for in the order of their names. */
  copy(place: string, name: string, isWithStretches: boolean): NamedByCopy | undefined {
    const value = this.#read('copies').find(copyKey(place, name));
    if (value === undefined) return undefined;
    const found: NamedByCopy = JSON.parse(value);
    if (isWithStretches && found.plain === undefined && !found.stretches) return undefined;
    this.taken.copies += 1;
    return found;
  }

  rememberCopy(place: string, name: string, named: NamedByCopy): void {
    this.#add('copies', `${copyKey(place, name)}\t${JSON.stringify(named)}`);
  }

  /** Begins to read copies anew, for another place. */
  rewindCopies(): void {
    this.#open.get('copies')?.close();
    this.#open.delete('copies');
  }

  /** Writes what this collection read, and what it took from the memory before, for the next one. */
  save(): void {
    this.close();
    for (const kind of KINDS)
      writeRemembered(`${this.#path}.${kind}`, this.#header, this.#lines[kind].sorted());
    keepLatest(this.#folder, STORES * KINDS.length);
  }

  close(): void {
    for (const lines of this.#open.values()) lines.close();
    this.#open.clear();
  }

  #read(kind: Kind): RememberedLines {
    const open = this.#open.get(kind) ?? RememberedLines.open(`${this.#path}.${kind}`, this.#header);
    this.#open.set(kind, open);
    return open;
  }

  #add(kind: Kind, line: string): void {
    if (line.length > MAX_LINE_BYTES || this.#bytes[kind] + line.length > MAX_BYTES) return;
    this.#bytes[kind] += line.length;
    this.#lines[kind].add(line);
  }
}

function kindOf({ base }: ListedSession): Kind {
  return base.startsWith('loose/') ? 'loose' : 'flows';
}

/** Ascending as the listing is: what follows a base in names of files is a dot. */
function keyOf({ base }: ListedSession): string {
  return `${base}.`;
}

/** A place has no colon in its id. */
function copyKey(place: string, name: string): string {
  return `${place}:${name}`;
}

function refOf([place, kind, name]: [string, ContentRef['kind'], string]): ContentRef {
  return { place, kind, name };
}

function valuesOf([place, name]: [string, string]): KeptValues {
  return { place, name };
}
