import { digestHex } from '../../../digest/blake3.ts';
import type { ContentKey } from '../../../format/content-names.ts';
import { MAX_DESCRIPTION_BYTES, readDescription } from '../../../format/description.ts';
import { decodeRecord } from '../../../format/record.ts';
import {
  type AttemptRecord,
  type DoneRecord,
  decodeAttempt,
  decodeDone,
  encodeAttempt,
  encodeDone,
  erasedFile,
  MAX_SESSION_RECORD_BYTES,
  SESSION_FILES,
} from '../../../format/session-files.ts';
import type { Session } from '../../../sessions/session.ts';
import { type ListedSession, listSessions } from '../../collection/session-listing.ts';
import type { ContentMender, ContentSource } from './content-mender.ts';
import {
  type Counterpart,
  type DescribedCounterpart,
  isDescriptionOf,
  isDigestOf,
  readCounterpart,
} from './counterpart.ts';
import { DescriptionBuilder } from './description-builder.ts';
import { type FoundRecord, findRecord, putBack } from './put-back.ts';
import type { RepairContext } from './repair-context.ts';

/** A record that was put back, or in a dry run would be, from what `from` says. */
export interface MendedRecord {
  readonly object: string;
  readonly from: string;
  /** It says the same in other bytes, since the source has no equal ones. */
  readonly isRewritten: boolean;
}

/** What became of the records of one session. */
export interface MendedSession {
  readonly mended: readonly MendedRecord[];
  /** What is damaged or missing, and no source has. */
  readonly left: readonly { readonly object: string; readonly why: string }[];
}

const NOTHING: MendedSession = { mended: [], left: [] };

/** The records of a session as they lie in the store. */
interface Records {
  readonly listed: ListedSession;
  readonly attempt: FoundRecord<AttemptRecord>;
  readonly done: FoundRecord<DoneRecord>;
  /** The bytes of metadata.json. */
  readonly metadata: FoundRecord<unknown>;
  /** The description after an erasure that counts. */
  readonly erased: FoundRecord<unknown> | undefined;
}

/**
 * Mends the records of sessions: attempts of tasks, and content saved outside them. Equal bytes are put back where a source has them. The copy of a
 * session in another store says the same in other bytes: a description that is written of it has the digest which DONE names, or
 * comes in the place of the lost one as after an erasure of nothing. What no source has is never made up.
 */
export class SessionMender {
  readonly #context: RepairContext;
  readonly #mender: ContentMender;

  constructor(context: RepairContext, mender: ContentMender) {
    this.#context = context;
    this.#mender = mender;
  }

  /** @param base of the names of the session's files */
  async mend(base: string): Promise<MendedSession> {
    const ours = await this.#read(base);
    if (!ours) return NOTHING;
    await this.#finish(ours);
    for (const source of this.#context.others) {
      const { targetId, options } = this.#context;
      const theirs = await readCounterpart(source, base, targetId, options);
      if (theirs && isOf(ours, theirs)) return this.#mendBy(ours, theirs);
    }
    return { mended: [], left: faultsOf(ours) };
  }

  /**
   * Mends a description that is whole, and whose rows are lost: they were moved into a content of their own. Resolves to where the bytes of that content come from,
   * if a source says rows that have its key; else describes the session anew by what a source says, as where a description is lost.
   */
  async mendTable(base: string, key: ContentKey): Promise<ContentSource | MendedSession> {
    const ours = await this.#read(base);
    for (const source of ours ? this.#context.others : []) {
      const { targetId, options } = this.#context;
      const theirs = await readCounterpart(source, base, targetId, options);
      if (!ours || !theirs?.described || !isOf(ours, theirs)) continue;
      const { described } = theirs;
      const builder = await newBuilder(this.#context, this.#mender, ours, { ...theirs, described });
      const bytes = await builder.equalTable(key);
      if (!bytes) return this.#mendBy(ours, theirs, true);
      const read = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes;
      };
      return { from: source.uri, read };
    }
    return NOTHING;
  }

  /** Deletes the description that a later one stands for: whoever wrote that one did not come to it. */
  async #finish({ listed, metadata, erased }: Records): Promise<void> {
    if (this.#context.dryRun || erased?.state !== 'whole' || metadata.state === 'missing') return;
    const { target, options } = this.#context;
    const [failure] = await target.storage.delete([listed.base + SESSION_FILES.metadata], options);
    if (failure) throw failure.error;
  }

  async #mendBy(ours: Records, theirs: Counterpart, isTableLost = false): Promise<MendedSession> {
    const { dryRun, staging } = this.#context;
    const needed = isTableLost ? [descriptionName(ours)] : neededOf(ours, theirs);
    if (needed.length === 0) return { mended: [], left: faultsOf(ours) };
    if (dryRun) {
      const from = theirs.source.uri;
      const mended = needed.map((object) => ({ object, from, isRewritten: !theirs.isSame }));
      return { mended, left: faultsOf(ours).filter(({ object }) => !needed.includes(object)) };
    }
    const work = new SessionWork(this.#context, this.#mender, ours, theirs);
    await staging.use(1 + (theirs.described?.artifacts.length ?? 0), (session) =>
      isTableLost ? work.describe(session) : work.run(session),
    );
    const now = await this.#read(ours.listed.base);
    return { mended: work.mended, left: now ? faultsOf(now) : [] };
  }

  async #read(base: string): Promise<Records | undefined> {
    const { target, options } = this.#context;
    const { storage } = target;
    for await (const listed of listSessions(storage, options, [`${base}.`])) {
      const { subject, erasedRevision } = listed;
      const read = <T>(file: string, bytes: number, decode: (bytes: Uint8Array, what: string) => T) =>
        findRecord(storage, base + file, bytes, decode, options);
      const attempt = await read(SESSION_FILES.attempt, MAX_SESSION_RECORD_BYTES, (bytes, what) =>
        decodeAttempt(bytes, what, subject),
      );
      const done = await read(SESSION_FILES.done, MAX_SESSION_RECORD_BYTES, (bytes, what) =>
        decodeDone(bytes, what, subject),
      );
      const session = sessionOf({ attempt, done });
      const of = session === undefined ? subject : { ...subject, session };
      const describe = (bytes: Uint8Array, what: string): unknown =>
        readDescription(decodeRecord(bytes, what), what, of);
      const metadata = await read(SESSION_FILES.metadata, MAX_DESCRIPTION_BYTES, describe);
      const erased =
        erasedRevision === undefined
          ? undefined
          : await read(erasedFile(erasedRevision), MAX_DESCRIPTION_BYTES, describe);
      return { listed, attempt, done, metadata, erased };
    }
    return undefined;
  }
}

/** The mending of one session, step by step: a crash after any of them leaves what the next repair goes on with. */
class SessionWork {
  readonly mended: MendedRecord[] = [];
  readonly #context: RepairContext;
  readonly #mender: ContentMender;
  readonly #ours: Records;
  readonly #theirs: Counterpart;
  /** Of the metadata.json that DONE is to name. */
  #metadataDigest: string | undefined;

  constructor(context: RepairContext, mender: ContentMender, ours: Records, theirs: Counterpart) {
    this.#context = context;
    this.#mender = mender;
    this.#ours = ours;
    this.#theirs = theirs;
  }

  async run(session: Session): Promise<void> {
    const { attempt, done, metadata } = this.#ours;
    if (metadata.state === 'whole') this.#metadataDigest = digestHex(metadata.bytes);
    if (needsDescription(this.#ours, this.#theirs)) await this.describe(session);
    // Behind the description, which it makes visible.
    if (done.state !== 'whole' && this.#theirs.done)
      await this.#put(SESSION_FILES.done, done, ...this.#doneBytes());
    if (attempt.state !== 'whole') {
      const body = this.#attemptBytes();
      if (body) await this.#put(SESSION_FILES.attempt, attempt, ...body);
    }
  }

  /** Describes the session: in the very bytes that were lost where that can be, else as after an erasure of nothing. */
  async describe(session: Session): Promise<void> {
    const { listed, done, metadata, erased } = this.#ours;
    const { described, source, isSame } = this.#theirs;
    if (!described) return;
    const digest = done.state === 'whole' ? done.record.metadataDigest : undefined;
    const builder = await newBuilder(this.#context, this.#mender, this.#ours, { ...this.#theirs, described });
    const { erasedNames } = builder;
    // One that is whole names rows that are lost, and nothing equal is of use.
    const isLost = metadata.state !== 'whole' || digest === undefined || !isDigestOf(metadata.bytes, digest);
    if (isLost && !erased && !described.erased && erasedNames.length === 0) {
      const isEqual = digest === undefined ? isSame : isDigestOf(described.bytes, digest);
      if (described.bytes && isEqual) return this.#putMetadata(described.bytes, false);
      if (digest === undefined) return this.#putMetadata(await builder.newBytes(session), true);
      const equal = await builder.equalBytes(digest);
      if (equal) return this.#putMetadata(equal, false);
    }
    const said = {
      reason: described.erased?.reason ?? reasonOf(source.uri, erasedNames),
      erased: [...new Set([...(described.erased?.artifacts ?? []), ...erasedNames])],
    };
    const file = erasedFile((listed.erasedRevision ?? -1) + 1);
    await this.#put(file, { state: 'missing' }, await builder.newBytes(session, said), true);
    await this.#unlessGivenUp(file);
    // What it takes the place of tells nothing any more.
    const former = [
      ...(metadata.state === 'missing' ? [] : [SESSION_FILES.metadata]),
      ...(erased ? [erasedFile(listed.erasedRevision as number)] : []),
    ];
    await this.#delete(former);
  }

  async #putMetadata(body: Uint8Array, isRewritten: boolean): Promise<void> {
    await this.#put(SESSION_FILES.metadata, this.#ours.metadata, body, isRewritten);
    this.#metadataDigest = digestHex(body);
    await this.#unlessGivenUp(SESSION_FILES.metadata);
  }

  /** Retention and erasures mark before they delete: what a mark gives up does not come back. */
  async #unlessGivenUp(file: string): Promise<void> {
    const { target, options } = this.#context;
    const { base, erasedRevision = -1 } = this.#ours.listed;
    for await (const now of listSessions(target.storage, options, [`${base}.`])) {
      const isErased = file === SESSION_FILES.metadata && (now.erasedRevision ?? -1) > erasedRevision;
      if (now.files.has('deleted') || isErased) await this.#delete([file]);
    }
  }

  #doneBytes(): [Uint8Array, boolean] {
    const { done, session, origin, isSame } = this.#theirs;
    const theirs = done as NonNullable<typeof done>;
    const { outcome, closedAt, error, metadataDigest } = theirs.record;
    const digest = this.#ours.listed.erasedRevision === undefined ? this.#metadataDigest : undefined;
    if (isSame && (digest === undefined || digest === metadataDigest)) return [theirs.bytes, false];
    const said = {
      outcome,
      session,
      closedAt,
      ...(digest === undefined || outcome === 'abandoned' ? {} : { metadataDigest: digest }),
      ...(error ? { error } : {}),
      ...(origin ? { origin } : {}),
    };
    return [encodeDone(said, this.#ours.listed.subject), true];
  }

  /** Of an open session only the very bytes will do, which hold its pins. */
  #attemptBytes(): [Uint8Array, boolean] | undefined {
    const { attempt, session, origin, isSame, done } = this.#theirs;
    if (!attempt) return undefined;
    if (isSame) return [attempt.bytes, false];
    if (!done && this.#ours.done.state !== 'whole') return undefined;
    const { startedAt, owner, label } = attempt.record;
    const said = { session, startedAt, owner, label, pins: [], ...(origin ? { origin } : {}) };
    return [encodeAttempt(said, this.#ours.listed.subject), true];
  }

  async #put(
    file: string,
    found: FoundRecord<unknown>,
    body: Uint8Array,
    isRewritten: boolean,
  ): Promise<void> {
    const { target, options } = this.#context;
    const object = this.#ours.listed.base + file;
    await putBack(target.storage, object, body, found, options);
    this.mended.push({ object, from: this.#theirs.source.uri, isRewritten });
  }

  async #delete(files: readonly string[]): Promise<void> {
    if (files.length === 0) return;
    const { target, options } = this.#context;
    const [failure] = await target.storage.delete(
      files.map((file) => this.#ours.listed.base + file),
      options,
    );
    if (failure) throw failure.error;
  }
}

/** One that knows what the session has of its own, and what of it was erased. */
async function newBuilder(
  context: RepairContext,
  mender: ContentMender,
  { listed: { subject, values, files } }: Records,
  theirs: DescribedCounterpart,
): Promise<DescriptionBuilder> {
  const of = { subject: { ...subject }, values, purged: files.has('purged') };
  const builder = new DescriptionBuilder(context, mender, of, theirs);
  await builder.prepare();
  return builder;
}

function reasonOf(uri: string, erased: readonly string[]): string {
  const what = erased.length === 0 ? 'nothing was erased' : 'they were erased before';
  return `${what}: the description was lost, and this is that of the copy at ${uri}`;
}

function sessionOf({ attempt, done }: Pick<Records, 'attempt' | 'done'>): string | undefined {
  if (done.state === 'whole') return done.record.session;
  return attempt.state === 'whole' ? attempt.record.session : undefined;
}

/** True unless a record that is whole says that the source holds another session under the same name. */
function isOf({ listed, attempt, done, metadata }: Records, { session }: Counterpart): boolean {
  if (done.state === 'whole') return done.record.session === session;
  if (attempt.state === 'whole') return attempt.record.session === session;
  return metadata.state !== 'whole' || isDescriptionOf(metadata.bytes, listed.subject, session);
}

/** True where the description that is to count is not whole, and nothing gave it up. */
function needsDescription({ listed, done, metadata, erased }: Records, theirs?: Counterpart): boolean {
  if (listed.files.has('deleted')) return false;
  const outcome = done.state === 'whole' ? done.record.outcome : theirs?.done?.record.outcome;
  if (outcome === undefined || outcome === 'abandoned') return false;
  if (erased) return erased.state !== 'whole';
  if (metadata.state !== 'whole') return true;
  return done.state === 'whole' && !isDigestOf(metadata.bytes, done.record.metadataDigest);
}

function descriptionName({ listed }: Records): string {
  const { base, erasedRevision } = listed;
  return base + (erasedRevision === undefined ? SESSION_FILES.metadata : erasedFile(erasedRevision));
}

/** The records that the source can put back. */
function neededOf(ours: Records, theirs: Counterpart): string[] {
  const { listed, attempt, done } = ours;
  const needed: string[] = [];
  if (needsDescription(ours, theirs) && theirs.described) needed.push(descriptionName(ours));
  if (done.state !== 'whole' && theirs.done) needed.push(listed.base + SESSION_FILES.done);
  const isClosed = done.state === 'whole' || theirs.done !== undefined;
  if (attempt.state !== 'whole' && theirs.attempt && (isClosed || theirs.isSame))
    needed.push(listed.base + SESSION_FILES.attempt);
  return needed;
}

/** What is wrong with the records, as far as they tell it by themselves: a DONE that is missing looks like a session that is open. */
function faultsOf(ours: Records): { object: string; why: string }[] {
  const { listed, attempt, done } = ours;
  const faults: { object: string; why: string }[] = [];
  const say = (object: string, found: FoundRecord<unknown> | undefined): void => {
    if (found?.state === 'damaged') faults.push({ object, why: found.why });
    else
      faults.push({
        object,
        why: found?.state === 'missing' ? `${object} is missing` : `${object} is not the one that DONE names`,
      });
  };
  if (needsDescription(ours)) say(descriptionName(ours), ours.erased ?? ours.metadata);
  if (done.state === 'damaged') say(listed.base + SESSION_FILES.done, done);
  if (attempt.state !== 'whole') say(listed.base + SESSION_FILES.attempt, attempt);
  return faults;
}
