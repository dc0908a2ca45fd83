import { elementBytesOf } from '../../../attempts/stored-values.ts';
import {
  attemptNumbersOf,
  attemptSession,
  attemptSubject,
  listAttempts,
  readDone,
} from '../../../format/attempt-files.ts';
import { HERE } from '../../../format/content-ref.ts';
import type { ArtifactEntry } from '../../../format/description.ts';
import type { PartialName } from '../../../format/partial-names.ts';
import {
  decodePartial,
  encodePartial,
  maxPartialBytes,
  type PartialRecord,
  readPartial,
} from '../../../format/partial-records.ts';
import { referencesIn } from '../../../format/refs.ts';
import { decodeAttempt, readSessionFile, SESSION_FILES } from '../../../format/session-files.ts';
import { placeMember } from '../../../format/stored-content.ts';
import { movedRow, type StoredContents } from '../../../sessions/copied-session.ts';
import type { Session } from '../../../sessions/session.ts';
import { listCountingPartial } from '../../collection/partial-marks.ts';
import { MergeJoin } from '../../merge-join.ts';
import { type ComparedPart, partPrefix } from './compare-stores.ts';
import type { ContentMender, NeededContent } from './content-mender.ts';
import { readCounterpart } from './counterpart.ts';
import { findRecord, putBack } from './put-back.ts';
import { isFaultOfSource, placesOf, type RepairContext, type SourceStore } from './repair-context.ts';

/**
 * Mends traces and checkpoints of attempts that were not done, which a retry goes on from: a source says what they said, by copies of its own, and
 * they are written anew with copies of the store. What it no longer counts for is not brought back: behind a later attempt that is done, or of one that was given up.
 */
export class PartialMender {
  readonly #context: RepairContext;
  readonly #mender: ContentMender;

  constructor(context: RepairContext, mender: ContentMender) {
    this.#context = context;
    this.#mender = mender;
  }

  /**
   * Mends what a source has of attempts that are closed here, and that is missing, which no check can tell. Resolves to the names of the records. One LIST of both;
   * what the owner of an open attempt has deleted, or is about to write, is its own affair.
   */
  async *compare(source: SourceStore, part: ComparedPart): AsyncGenerator<string, void> {
    const { target, options } = this.#context;
    const prefix = `partial/${partPrefix(part)}`;
    const here = new MergeJoin(listCountingPartial(target.storage, options, prefix), idOf);
    try {
      for await (const theirs of listCountingPartial(source.store.storage, options, prefix)) {
        const ours = await here.at(idOf(theirs));
        if ((ours && !isLater(theirs, ours)) || !(await this.#isClosed(theirs))) continue;
        if ((await this.#counts(theirs)) && (await this.#mendFrom(source, theirs))) yield theirs.name;
      }
    } finally {
      await here.close();
    }
  }

  /** Resolves to the address of the source that has the record; `undefined` where none does. */
  async mend(name: PartialName): Promise<string | undefined> {
    for (const source of this.#context.others) {
      if ((await this.#counts(name)) && (await this.#mendFrom(source, name))) return source.uri;
    }
    return undefined;
  }

  /** True where a retry would go on from the record: its attempt is there, and nothing made it needless. */
  async #counts({ path, attempt }: PartialName): Promise<boolean> {
    const { target, options } = this.#context;
    const attempts = await listAttempts(target.storage, path, options);
    const files = attempts.get(attempt);
    if (!files || files.has('deleted') || files.has('purged')) return false;
    for (const number of attemptNumbersOf(attempts)) {
      if (number < attempt || !attempts.get(number)?.has('done')) continue;
      try {
        if ((await readDone(target.storage, path, number, options))?.outcome === 'done') return false;
      } catch (error) {
        if (!isFaultOfSource(error)) throw error; // its own finding tells
      }
    }
    return true;
  }

  async #isClosed({ path, attempt }: PartialName): Promise<boolean> {
    const { target, options } = this.#context;
    const attempts = await listAttempts(target.storage, path, { ...options, attempt });
    return attempts.get(attempt)?.has('done') ?? false;
  }

  async #mendFrom(source: SourceStore, name: PartialName): Promise<boolean> {
    const { target, targetId, staging, dryRun, options } = this.#context;
    const { base } = attemptSession(name.path, name.attempt);
    const theirs = await readCounterpart(source, base, targetId, options);
    const record = theirs && (await readWhole(source, name, options));
    if (!record || theirs.session !== (await this.#sessionOf(name))) return false;
    if (await this.#isErased(record)) return false;
    if (dryRun) return true;
    const { artifacts } = record.table;
    return staging.use(1 + artifacts.length, async (session) => {
      const rows = await this.#rows(session, artifacts);
      if (!rows) return false;
      const moved = { ...record, session: theirs.session, table: { artifacts: rows } };
      const decode = (bytes: Uint8Array, what: string): PartialRecord => decodePartial(name, bytes, what);
      const found = await findRecord(target.storage, name.name, maxPartialBytes(name), decode, options);
      if (found.state !== 'whole')
        await putBack(target.storage, name.name, encodePartial(name, moved), found, options);
      // What a mark gave up meanwhile does not come back.
      if (await this.#counts(name)) return true;
      const [failure] = await target.storage.delete([name.name], options);
      if (failure) throw failure.error;
      return false;
    });
  }

  /** The session of the attempt here, as far as its records are whole. */
  async #sessionOf({ path, attempt }: PartialName): Promise<string | undefined> {
    const { target, options } = this.#context;
    const { base } = attemptSession(path, attempt);
    try {
      const done = await readDone(target.storage, path, attempt, options);
      if (done) return done.session;
      const bytes = await readSessionFile(target.storage, base + SESSION_FILES.attempt, options);
      return bytes && decodeAttempt(bytes, base, attemptSubject(path, attempt)).session;
    } catch (error) {
      if (!isFaultOfSource(error)) throw error;
      return undefined; // mended first, if anything has it
    }
  }

  async #isErased({ table }: PartialRecord): Promise<boolean> {
    for (const { key } of table.artifacts) if (await this.#context.erased.has(key)) return true;
    return false;
  }

  /** The rows, by copies that the store has by then; `undefined` where some content is nowhere. */
  async #rows(session: Session, rows: readonly ArtifactEntry[]): Promise<ArtifactEntry[] | undefined> {
    const stored: StoredContents = new Map();
    const named: Omit<NeededContent, 'place'>[] = [];
    for (const row of rows) if (row.content) named.push({ key: row.key, elementBytes: elementBytesOf(row) });
    for (const { kind, name } of referencesIn(rows)) if (kind === 'key') named.push({ key: name });
    for (const one of named) {
      const found = stored.get(one.key) ?? (await this.#have(session, one));
      if (!found) return undefined;
      stored.set(one.key, found);
    }
    return rows.map((row) => movedRow(row, stored));
  }

  async #have(
    session: Session,
    needed: Omit<NeededContent, 'place'>,
  ): Promise<ReturnType<StoredContents['get']>> {
    const { target, options } = this.#context;
    for (const place of await placesOf(target, options)) {
      const [found] = await session.rely(
        [{ key: needed.key, bytes: undefined, ...placeMember(place) }],
        options,
      );
      if (found) return found;
    }
    const mended = await this.#mender.under(session, { ...needed, place: HERE });
    return mended.outcome === 'lost' ? undefined : mended.stored;
  }
}

/** The checkpoints of an attempt are one: of those that are listed the last one. */
function idOf({ name, kind }: PartialName): string {
  return kind === 'checkpoint'
    ? name.slice(0, name.lastIndexOf('.checkpoint.') + '.checkpoint.'.length)
    : name;
}

/** True of a checkpoint behind another one of its attempt: a retry goes on from that. */
function isLater(one: PartialName, other: PartialName): boolean {
  return one.kind === 'checkpoint' && other.kind === 'checkpoint' && one.sequence > other.sequence;
}

async function readWhole(
  { store }: SourceStore,
  name: PartialName,
  options: RepairContext['options'],
): Promise<PartialRecord | undefined> {
  try {
    return await readPartial(store.storage, name, options);
  } catch (error) {
    if (!isFaultOfSource(error)) throw error;
    return undefined;
  }
}
