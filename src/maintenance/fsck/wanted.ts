import { isContentKey } from '../../format/content-names.ts';
import { type ContentRef, HERE } from '../../format/content-ref.ts';
import { isPlaceId } from '../../format/place-records.ts';
import { parsePublishedName } from '../../format/published-names.ts';
import type { ContentAddress } from '../../format/stored-content.ts';
import { SortedLines, type WorkFolder } from '../collection/sorted-lines.ts';
import { MAX_CONCERNS } from './faults.ts';
import type { Concern } from './finding.ts';

/** Something that a record wants: a content, or a pack or plain object by its name. */
export interface Want {
  /** The base of the session whose record it is, or the name of that record where it is none of a session. */
  owner: string;
  kind: Concern['kind'];
  /** The artifact, report or trace. */
  name: string;
  /** The copy that the record names. */
  copy?: string | undefined;
}

/** A length and root that records tell of a content. */
export interface ToldAddress {
  bytes: number | undefined;
  root: string | undefined;
  /** The first that tells it. */
  want: Want;
}

/** All that records want of one name at one place. */
export interface WantedName {
  place: string;
  name: string;
  /** How many records, or rows of records, want it. */
  total: number;
  /** The first of them. */
  wants: readonly Want[];
  /** Entries of the cache alone want it, which can go at any time. */
  isOnlyCached: boolean;
  told: readonly ToldAddress[];
}

/** More lengths than one are a fault by themselves. */
const MAX_TOLD = 8;
const SEPARATOR = '\t';

/** What the records of a store want, on disk as far as it is much. */
export class Wanted {
  /** Contents, by place and key. */
  readonly #contents: SortedLines;
  /** Packs and plain objects, by place and name. */
  readonly #objects: SortedLines;

  constructor(folder: WorkFolder) {
    this.#contents = new SortedLines(folder);
    this.#objects = new SortedLines(folder);
  }

  /** @param address as a row has it: with its length, and its root where it has one */
  content({ place = HERE, key, copy = '', bytes, root = '' }: ContentAddress, want: Want): void {
    this.#contents.add(
      [place, key, bytes ?? '', root, want.kind, want.owner, want.name, copy].join(SEPARATOR),
    );
  }

  /** What a value refers to from inside. False for what names nothing that could be looked for. */
  ref({ place, kind, name }: ContentRef, want: Want): boolean {
    if (place !== HERE && !isPlaceId(place)) return false;
    if (kind === 'key' && isContentKey(name)) this.content({ place, key: name }, want);
    else this.#objects.add([place, name, '', '', want.kind, want.owner, want.name, ''].join(SEPARATOR));
    return true;
  }

  /** Contents in the order of places and keys. */
  contents(): Generator<WantedName, void> {
    return grouped(this.#contents.sorted());
  }

  /** Packs and plain objects in the order of places and names. */
  objects(): Generator<WantedName, void> {
    return grouped(this.#objects.sorted());
  }
}

function* grouped(lines: Iterable<string>): Generator<WantedName, void> {
  let group: (WantedName & { wants: Want[]; told: ToldAddress[] }) | undefined;
  for (const line of lines) {
    const [place = '', name = '', bytes = '', root = '', kind, owner = '', of = '', copy] =
      line.split(SEPARATOR);
    if (group && (group.place !== place || group.name !== name)) {
      yield group;
      group = undefined;
    }
    group ??= { place, name, total: 0, wants: [], isOnlyCached: true, told: [] };
    const want: Want = { owner, kind: kind as Concern['kind'], name: of, copy: copy || undefined };
    group.total += 1;
    if (kind !== 'cache entry') group.isOnlyCached = false;
    if (group.wants.length < MAX_CONCERNS) group.wants.push(want);
    const length = bytes === '' ? undefined : Number(bytes);
    const isTold = group.told.some((one) => one.bytes === length && one.root === (root || undefined));
    if (!isTold && group.told.length < MAX_TOLD)
      group.told.push({ bytes: length, root: root || undefined, want });
  }
  if (group) yield group;
}

const IN_TASK = /^(?:flows|partial|logs|values)\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(\d+)/;
const IN_RUN = /^runs\/([^/]+)\/([^/]+)\//;
const LOOSE = /^loose\/([^/.]+)/;
const ENTRY = /^cache\/[0-9a-f]{3}\/([0-9a-f]{64})\./;

/** What is concerned by the fault of something: the attempt, run, session or entry whose record `owner` is, and the artifact in it. */
export function concernOf({ owner, kind, name }: Want): Concern {
  const [, key] = ENTRY.exec(owner) ?? [];
  if (key !== undefined) return { name: key, kind: 'cache entry' };
  const published = parsePublishedName(owner);
  if (published) return { name: `${published.name}/${published.version}`, kind: 'published version' };
  return { ...subjectOf(owner), ...(name === '' ? {} : { name }), kind };
}

/** The names in the name of an object, or in the base of a session. */
function subjectOf(owner: string): Omit<Concern, 'kind' | 'name'> {
  const [, flow, run, step, task, attempt] = IN_TASK.exec(owner) ?? [];
  if (flow !== undefined && run !== undefined && step !== undefined && task !== undefined)
    return { flow, run, step, task, attempt: Number(attempt) };
  const [, ofFlow, ofRun] = IN_RUN.exec(owner) ?? [];
  if (ofFlow !== undefined && ofRun !== undefined) return { flow: ofFlow, run: ofRun };
  const [, session] = LOOSE.exec(owner) ?? [];
  return session === undefined ? {} : { session };
}

/** The concern of a whole record: an attempt, a run, a session, an entry; none of any other object. */
export function recordConcerns(object: string): Concern[] {
  const concern = concernOf({ owner: object, kind: 'record', name: '' });
  return concern.kind !== 'record' || Object.keys(concern).length > 1 ? [concern] : [];
}
