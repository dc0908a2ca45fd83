import { elementBytesOf } from '../../../attempts/stored-values.ts';
import { listCopies } from '../../../content/copies.ts';
import { ownObjectsOf, type WrittenValue } from '../../../content/writing/own-writer.ts';
import type { ContentKey } from '../../../format/content-names.ts';
import { HERE } from '../../../format/content-ref.ts';
import {
  type ArtifactEntry,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../../../format/description.ts';
import { referencesIn } from '../../../format/refs.ts';
import type { ReportEntry } from '../../../format/report-records.ts';
import { type ContentAddress, placeMember, type StoredContent } from '../../../format/stored-content.ts';
import { movedRef, type StoredContents } from '../../../sessions/copied-session.ts';
import type { Session } from '../../../sessions/session.ts';
import type { ContentMender, ContentSource } from './content-mender.ts';
import { type DescribedCounterpart, isDigestOf } from './counterpart.ts';
import { ownValuesIn } from './own-objects.ts';
import { isFaultOfSource, placesOf, type RepairContext, type SourceStore } from './repair-context.ts';

/** The session that is to be described. */
export interface DescribedSession {
  readonly subject: Description['subject'];
  /** The beginning of the names of its objects of values; `undefined` outside a task. */
  readonly values: string | undefined;
  /** Its content was given up, so that none is looked for. */
  readonly purged: boolean;
}

/** What a description says of an erasure, beside the rest. */
export type ErasureFields = { reason: string; erased: string[] };

/** A content that a row, a report or a value names. */
interface NamedContent {
  readonly key: ContentKey;
  readonly bytes: number | undefined;
  readonly isPlain: boolean;
  readonly file?: string;
  readonly elementBytes?: number | undefined;
  /** The row in the source, whose value lies in an object of the attempt's own there. */
  readonly own?: ArtifactEntry;
}

/** So many ways are tried to say which copies rows named. */
const MAX_TRIES = 256;

/** Says again, of one session of the store, what its counterpart in a source says, with rows that lead to where the store has their content. */
export class DescriptionBuilder {
  readonly #context: RepairContext;
  readonly #mender: ContentMender;
  readonly #of: DescribedSession;
  readonly #theirs: DescribedCounterpart;
  /** Values in objects of the session's own that are whole. */
  #own: ReadonlyMap<ContentKey, WrittenValue> = new Map();
  #artifacts: readonly ArtifactEntry[] = [];
  #reports: readonly ReportEntry[] = [];
  /** Artifacts that were erased from the store, though the source has them. */
  readonly erasedNames: string[] = [];

  constructor(
    context: RepairContext,
    mender: ContentMender,
    of: DescribedSession,
    theirs: DescribedCounterpart,
  ) {
    this.#context = context;
    this.#mender = mender;
    this.#of = of;
    this.#theirs = theirs;
  }

  /** Reads what the session has of its own, and leaves out what was erased from the store. Comes first. */
  async prepare(): Promise<void> {
    const { target, erased, options } = this.#context;
    const { artifacts, description } = this.#theirs.described;
    const kept: ArtifactEntry[] = [];
    for (const row of artifacts) {
      if (await erased.has(row.key)) this.erasedNames.push(row.name);
      else kept.push(row);
    }
    this.#artifacts = kept;
    const reports: ReportEntry[] = [];
    for (const one of description.reports) if (!(await erased.has(one.content.key))) reports.push(one);
    this.#reports = reports;
    if (this.#of.values !== undefined) this.#own = await ownValuesIn(target, this.#of.values, options);
  }

  /**
   * Finds the very bytes of a description that was lost: rows named one of the copies that are listed, whole or not. `undefined` where they
   * named one that is gone, or the source does not say all that the description did.
   *
   * @param digest of the bytes, as DONE names it
   */
  equalBytes(digest: string): Promise<Uint8Array | undefined> {
    return this.#equal(digest, (rows, stored) => this.#encode(rows, stored));
  }

  /** Finds the very bytes of a table that was moved into content and lost, in the same way. */
  equalTable(key: ContentKey): Promise<Uint8Array | undefined> {
    return this.#equal(key, (artifacts) => encodeTable({ artifacts }));
  }

  async #equal(
    digest: string,
    encode: (rows: ArtifactEntry[], stored: StoredContents) => Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const choices = new Map<ContentKey, StoredContent[]>();
    for (const one of this.#named()) {
      const listed = await this.#listed(one);
      if (listed.length === 0) return undefined;
      choices.set(one.key, listed);
    }
    for (const stored of selections(choices, MAX_TRIES)) {
      const body = encode(this.#rows(stored), stored);
      if (isDigestOf(body, digest)) return body;
    }
    return undefined;
  }

  /**
   * Describes the session in bytes of their own, by copies that are whole: what the store lacks is copied from the source. What is in neither is
   * named as the source names it, and reads as gone.
   *
   * @param session keeps the content until the description stands
   * @param erased what it is to say of an erasure. Default: nothing, as metadata.json
   */
  async newBytes(session: Session, erased?: ErasureFields): Promise<Uint8Array> {
    const stored: StoredContents = new Map();
    for (const one of this.#named()) {
      const found = await this.#have(one, session);
      if (found) stored.set(one.key, found);
    }
    const rows = this.#rows(stored);
    const whole = this.#encode(rows, stored, erased);
    if (whole.length <= MAX_TABLE_BYTES) return whole;
    // A large table is content, as of whoever described the session first.
    const bytes = encodeTable({ artifacts: rows });
    const [table] = await session.put([{ bytes }], this.#context.options);
    return this.#encode(rows, stored, erased, table);
  }

  #encode(
    artifacts: ArtifactEntry[],
    stored: StoredContents,
    erased: ErasureFields | undefined = undefined,
    table: Description['table'] = { artifacts },
  ): Uint8Array {
    const { startedAt, label, metadata, readFrom, cached, takenOver, returned } =
      this.#theirs.described.description;
    const within = artifacts.flatMap((row) => (row.own ? [{ entry: row, ...this.#own.get(row.key) }] : []));
    return encodeDescription({
      session: this.#theirs.session,
      subject: { ...this.#of.subject, ...erased },
      startedAt,
      label,
      table,
      values: ownObjectsOf(within),
      reports: this.#reports.map((one) => ({ ...one, content: contentIn(stored, one.content) })),
      metadata,
      readFrom,
      cached,
      takenOver,
      returned,
    });
  }

  #rows(stored: StoredContents): ArtifactEntry[] {
    return this.#artifacts.map((row) => rowOf(row, this.#own.get(row.key), stored));
  }

  /** The contents that are named, each once, but for values that the session has of its own. */
  #named(): NamedContent[] {
    if (this.#of.purged) return [];
    const artifacts = this.#artifacts;
    const named = new Map<ContentKey, NamedContent>();
    const add = (one: NamedContent): void => {
      if (!named.has(one.key)) named.set(one.key, one);
    };
    for (const { content, key } of this.#reports.map(withKey))
      add({ key, bytes: content.bytes, isPlain: true, file: content.file });
    for (const row of artifacts) {
      const { key, bytes, content, own, inline } = row;
      if (inline || this.#own.has(key)) continue;
      const isPlain = content !== undefined && isLocated(content);
      add({ key, bytes, isPlain, elementBytes: elementBytesOf(row), ...(own ? { own: row } : {}) });
    }
    for (const { kind, name } of referencesIn(artifacts)) {
      if (kind === 'key') add({ key: name, bytes: undefined, isPlain: false });
    }
    return [...named.values()];
  }

  /** The copies of a content that a row may have named. */
  async #listed({ key, bytes = 0, isPlain }: NamedContent): Promise<StoredContent[]> {
    const { target, options } = this.#context;
    const found: StoredContent[] = [];
    for (const place of await placesOf(target, options)) {
      const { storage, reader } = await target.at(place, options);
      for (const copy of isPlain ? [] : await listCopies(storage, 'data', key, options))
        found.push({ key, copy: copy.name, bytes, storedBytes: copy.bytes, ...placeMember(place) });
      for (const { name } of await listCopies(storage, 'manifests', key, options)) {
        try {
          const described = await reader.describeCopy(name, options);
          if (described && isPlain === isLocated(described.stored)) found.push(described.stored);
        } catch (error) {
          if (!isFaultOfSource(error)) throw error; // it tells nothing of what a row said of it
        }
      }
    }
    return found;
  }

  /** A whole copy, at whatever place of the store it lies; copied from the source where there is none. */
  async #have(
    { key, bytes, isPlain, file, elementBytes, own }: NamedContent,
    session: Session,
  ): Promise<StoredContent | undefined> {
    const { target, options } = this.#context;
    for (const place of await placesOf(target, options)) {
      const [found] = await session.rely([{ key, bytes, ...placeMember(place) }], options);
      if (found && (!isPlain || isLocated(found))) return found;
    }
    const further = own ? [ownSource(this.#theirs.source, this.#of.values ?? '', own, options)] : [];
    const mended = await this.#mender.under(session, { key, place: HERE, file, elementBytes }, further);
    return mended.outcome === 'lost' ? undefined : mended.stored;
  }
}

/** A small value, as an attempt of a source keeps it. */
export function ownSource(
  { store, uri }: SourceStore,
  base: string,
  { key, bytes, own }: Pick<ArtifactEntry, 'key' | 'bytes' | 'own'>,
  options: RepairContext['options'],
): ContentSource {
  const read = async function* (): AsyncGenerator<Uint8Array> {
    if (!own) return;
    const value = (await store.reader.loadOwn(base, [{ key, bytes, own }], options)).get(key);
    if (!(value instanceof Uint8Array)) throw value;
    yield value;
  };
  return { from: uri, read };
}

function withKey({ name, content }: ReportEntry): {
  key: ContentKey;
  content: { bytes: number; file: string };
} {
  return { key: content.key, content: { bytes: content.bytes, file: `${name}.html` } };
}

/** Ways to choose one copy for each key, the first ones first. */
function* selections(
  choices: ReadonlyMap<ContentKey, readonly StoredContent[]>,
  most: number,
): Generator<StoredContents> {
  const keys = [...choices.keys()];
  const all = keys.reduce((count, key) => count * (choices.get(key)?.length ?? 1), 1);
  for (let number = 0; number < Math.min(all, most); number++) {
    const chosen: StoredContents = new Map();
    let rest = number;
    for (const key of keys) {
      const of = choices.get(key) ?? [];
      chosen.set(key, of[rest % of.length] as StoredContent);
      rest = Math.floor(rest / of.length);
    }
    yield chosen;
  }
}

/** What lies among the manifests and has no root is a plain object. */
function isLocated({ copy, root }: StoredContent): boolean {
  return root === undefined && copy.startsWith('manifests/');
}

function rowOf(
  given: ArtifactEntry,
  ownHere: WrittenValue | undefined,
  stored: StoredContents,
): ArtifactEntry {
  const row = given.refs ? { ...given, refs: given.refs.map((ref) => movedRef(ref, stored)) } : given;
  if (row.inline) return row;
  const { own, content, ...rest } = row;
  if (ownHere) return { ...rest, own: ownHere.own };
  const found = stored.get(row.key);
  if (found) return { ...rest, content: found };
  if (content) return { ...rest, content: withoutPlace(content) };
  return own ? { ...rest, own: withoutPlace(own) } : rest;
}

function contentIn(stored: StoredContents, content: StoredContent): StoredContent {
  return stored.get(content.key) ?? withoutPlace(content);
}

/** What lies nowhere in the store lies at no place of it either. */
function withoutPlace<T extends Pick<ContentAddress, 'place'>>({ place: _, ...rest }: T): Omit<T, 'place'> {
  return rest;
}
