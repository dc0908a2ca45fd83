import { isDeepStrictEqual } from 'node:util';
import { jsonText } from '../codec/json-text.ts';
import type { ContentStore } from '../content/content-store.ts';
import { ownObjectsOf, type WrittenValue } from '../content/writing/own-writer.ts';
import { digestBytes, digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import type { ContentKey } from '../format/content-names.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import { holdsBytes } from '../format/create-own.ts';
import { erasureFields } from '../format/current-description.ts';
import {
  type ArtifactEntry,
  type ArtifactTable,
  type Description,
  decodeDescription,
  decodeTable,
  encodeDescription,
  encodeTable,
  MAX_DESCRIPTION_BYTES,
  MAX_TABLE_BYTES,
} from '../format/description.ts';
import { encodePins, MAX_PINS_A_RECORD, pinsName } from '../format/open-session.ts';
import type { OwnObject } from '../format/own-values.ts';
import {
  decodeAttempt,
  decodeDone,
  encodeAttempt,
  encodeDone,
  erasedFile,
  readSessionFile,
  SESSION_FILES,
  type SessionFiles,
  type SessionOrigin,
  thisOwner,
} from '../format/session-files.ts';
import { newSessionId, type SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type ClosedResult, comparableDescription } from './closed-result.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Staging } from './staging.ts';

/** The session of a copy: which one it is, and whose result it holds. */
export interface CopyIdentity extends SessionFiles {
  session: SessionId;
  origin: SessionOrigin;
  /** Its name for people. */
  what: string;
}

/** The store that is copied into, and the sessions under which content is written there. */
export interface CopyTarget {
  readonly store: ContentStore;
  readonly staging: Staging;
  readonly options: CallOptions;
}

/** The stored contents of a copy, by key. */
export type StoredContents = Map<ContentKey, StoredContent>;

/** The rows whose values are the attempt's own in the target, by name, with the objects that hold them. */
export type OwnRows = Map<string, WrittenValue & { entry: ArtifactEntry }>;

const DOMAIN = 'stowage copy 1';
/** More pins than these do not go into attempt.json. */
const MAX_FIRST_PINS = 1_000;
/** Content that is gone whenever it is looked for is written again so often. */
export const MAX_COPY_TRIES: number = 3;
const PIN_NUMBERS = 100_000_000;

/**
 * The session of an attempt's copy in a store. All copiers of one attempt arrive at the same, so that each can go on where another
 * one was interrupted. Nothing but the session's own records bears its name: content is written under sessions of the copier.
 */
export function copiedSessionId(targetId: string, origin: SessionOrigin): SessionId {
  const digest = digestBytes(Buffer.from(jsonText([DOMAIN, targetId, origin.session])));
  return newSessionId((bytes) => digest.subarray(0, bytes));
}

/**
 * The copy of a closed session, whose content lies in the target already, under sessions that stay open until this one is closed. The
 * steps are a writer's; each may be made by another copier as well, before, after or at the same time:
 *
 * 1. {@link open}: attempt.json, with pins of all content. It is one's own if it names the session, and that it is a copy.
 * 2. The copier relies on the content once more, as if it were somebody else's: now that it is pinned here, what is found is safe.
 * 3. What belongs to an attempt beside its description, such as logs.
 * 4. {@link describe}: metadata.json; or the one that another copier wrote, if it says the same.
 * 5. {@link close}: marks, and then DONE.
 *
 * @throws StowageError `ATTEMPT_EXISTS`, `ATTEMPT_FENCED` where the target holds something else
 */
export class CopiedSession {
  readonly #target: CopyTarget;
  readonly #copy: CopyIdentity;
  readonly #result: ClosedResult;
  readonly #heartbeat: Heartbeat;
  readonly #pinned = new Set<string>();
  #wasOpen = false;
  #metadataDigest: string | undefined;

  private constructor(target: CopyTarget, copy: CopyIdentity, result: ClosedResult) {
    this.#target = target;
    this.#copy = copy;
    this.#result = result;
    this.#heartbeat = new Heartbeat(target.store.storage, copy.session);
  }

  /** Step 1. @param keys of all content, the same for every copier */
  static async open(
    target: CopyTarget,
    copy: CopyIdentity,
    result: ClosedResult,
    keys: readonly ContentKey[],
  ): Promise<CopiedSession> {
    const copied = new CopiedSession(target, copy, result);
    try {
      await copied.#open([...keys].sort());
      return copied;
    } catch (error) {
      await copied.abandon();
      throw error;
    }
  }

  /** metadata.json, or ERASED.<k>.json; nothing where the source has no description. */
  async describe(stored: StoredContents, own: OwnRows): Promise<void> {
    const { described, erased } = this.#result;
    if (!described) return;
    const table = { artifacts: described.table.artifacts.map((row) => movedRow(row, stored, own)) };
    const reports = described.reports.map((report) => ({
      ...report,
      content: contentIn(stored, report.content),
    }));
    const values = ownObjectsOf(own.values());
    const file = erased ? erasedFile(erased.revision) : SESSION_FILES.metadata;
    let body = await this.#encode({ ...described, table, reports, values });
    if (!(await this.#create(file, body))) {
      const standing = await this.#read(file, MAX_DESCRIPTION_BYTES);
      if (!standing || !(await this.#saysTheSame(standing))) {
        throw refused(this.#copy.what, 'is described there in another way by a copy that was interrupted');
      }
      body = standing;
    }
    if (!erased) this.#metadataDigest = digestHex(body);
  }

  async close(): Promise<void> {
    const { done, purged, deleted } = this.#result;
    const { session, subject, origin, what } = this.#copy;
    for (const mark of [purged && SESSION_FILES.purged, deleted && SESSION_FILES.deleted]) {
      if (mark) await this.#create(mark, new Uint8Array(0));
    }
    const { outcome, closedAt, error } = done;
    const digest = this.#metadataDigest;
    const said = { outcome, session, closedAt, origin };
    const record = encodeDone(
      {
        ...said,
        ...(digest === undefined ? {} : { metadataDigest: digest }),
        ...(error ? { error } : {}),
      },
      subject,
    );
    if (!(await this.#create(SESSION_FILES.done, record, 'barrier'))) {
      const standing = await this.#read(SESSION_FILES.done);
      const found = standing && decodeDone(standing, this.#uri(SESSION_FILES.done), subject);
      if (found?.outcome === 'abandoned' && outcome !== 'abandoned') throw givenUp(what);
      if (found?.session !== session) throw refused(what, 'was closed by somebody else');
    }
    if (deleted && this.#wasOpen) await this.#deleteDescription();
  }

  /** Shows no more signs of life: it is closed, or this copier will not close it. */
  async abandon(): Promise<void> {
    await this.#heartbeat.stop();
  }

  async #open(keys: readonly string[]): Promise<void> {
    const { session, subject, origin, what } = this.#copy;
    const pins = keys.length <= MAX_FIRST_PINS ? keys.map(keyRef) : [];
    const { startedAt, label } = this.#result;
    const said = { startedAt, owner: thisOwner(), label, pins, origin };
    const record = encodeAttempt({ session, ...said }, subject);
    if (await this.#create(SESSION_FILES.attempt, record)) {
      for (const { name } of pins) this.#pinned.add(name);
    } else {
      const standing = await this.#read(SESSION_FILES.attempt);
      const attempt = standing && decodeAttempt(standing, this.#uri(SESSION_FILES.attempt), subject);
      if (attempt?.session !== session || !attempt.origin) throw refused(what, 'is somebody else’s there');
      this.#wasOpen = true;
      for (const { kind, name } of attempt.pins) if (kind === 'key') this.#pinned.add(name);
    }
    await this.#pin(keys);
  }

  /** An earlier copier may have described it before the source gave it up. */
  async #deleteDescription(): Promise<void> {
    const { store, options } = this.#target;
    const [failure] = await store.storage.delete([this.#copy.base + SESSION_FILES.metadata], options);
    if (failure) throw failure.error;
  }

  /** A large table is content as well; which, depends on the copier, so that it is pinned and looked at by itself. */
  async #encode(described: MovedResult): Promise<Uint8Array> {
    const { staging, options } = this.#target;
    const body = encodeDescription(this.#description(described, described.table));
    if (body.length <= MAX_TABLE_BYTES) return body;
    return staging.use(1, async (session) => {
      const bytes = encodeTable(described.table);
      for (let tries = 0; tries < MAX_COPY_TRIES; tries++) {
        const [table] = (await session.put([{ bytes }], options)) as [StoredContent];
        await this.#pin([table.key]);
        const [found] = await session.rely([table], options);
        if (found) return encodeDescription(this.#description(described, found));
      }
      throw contentLost('table', this.#copy);
    });
  }

  #description(
    { reports, values, metadata, readFrom, takenOver, returned }: MovedResult,
    table: Description['table'],
  ): Description {
    const { erased, startedAt, label } = this.#result;
    const { session, subject } = this.#copy;
    const why = erased ? erasureFields(erased) : {};
    return {
      session,
      subject: { ...subject, ...why },
      startedAt,
      label,
      table,
      values,
      reports,
      metadata,
      readFrom: [...readFrom],
      takenOver,
      returned,
    };
  }

  async #saysTheSame(standing: Uint8Array): Promise<boolean> {
    const what = this.#uri(SESSION_FILES.metadata);
    const { session, table, reports, metadata, readFrom } = decodeDescription(
      standing,
      what,
      this.#copy.subject,
    );
    const found: ArtifactTable =
      typeof table === 'function'
        ? table()
        : decodeTable(await this.#target.store.reader.load(table, this.#target.options), what);
    const ours = this.#result.described as NonNullable<ClosedResult['described']>;
    const theirs = { table: found, reports, metadata, readFrom };
    return (
      session === this.#copy.session &&
      isDeepStrictEqual(comparableDescription(ours), comparableDescription(theirs))
    );
  }

  /**
   * Pins what attempt.json does not. The records are numbered by what they hold: another copier that pins the same writes the same,
   * and one that pins something else has another number.
   */
  async #pin(keys: readonly string[]): Promise<void> {
    const fresh = keys.filter((key) => !this.#pinned.has(key));
    for (let start = 0; start < fresh.length; start += MAX_PINS_A_RECORD) {
      const entries = fresh.slice(start, start + MAX_PINS_A_RECORD).map(keyRef);
      const { session } = this.#copy;
      const record = encodePins(session, entries);
      const digest = digestBytes(record);
      let number = Buffer.from(digest).readUInt32LE() % PIN_NUMBERS;
      while (!(await this.#createPins(number, record))) number = (number + 1) % PIN_NUMBERS;
      for (const { name } of entries) this.#pinned.add(name);
    }
  }

  async #createPins(number: number, record: Uint8Array): Promise<boolean> {
    return this.#createNamed(pinsName(this.#copy.session, number), record, 'deferred');
  }

  async #create(
    file: string,
    body: Uint8Array,
    durability: 'deferred' | 'barrier' = 'deferred',
  ): Promise<boolean> {
    return this.#createNamed(this.#copy.base + file, body, durability);
  }

  /** `false` where the object is there already, with other bytes. Whoever wrote it may not have made it durable. */
  async #createNamed(name: string, body: Uint8Array, durability: 'deferred' | 'barrier'): Promise<boolean> {
    const { storage } = this.#target.store;
    const { signal } = this.#target.options;
    if (await storage.create(name, body, { signal, durability })) return true;
    await storage.persist([name], { signal });
    return holdsBytes(storage, name, body, signal);
  }

  async #read(file: string, maxBytes?: number): Promise<Uint8Array | undefined> {
    const { storage } = this.#target.store;
    const { options } = this.#target;
    const name = this.#copy.base + file;
    if (maxBytes === undefined) return readSessionFile(storage, name, options);
    return (await storage.get(name, { ...options, maxBytes }))?.body;
  }

  #uri(file: string): string {
    return this.#target.store.storage.uri(this.#copy.base + file);
  }
}

function keyRef(name: string): ContentRef {
  return { place: HERE, kind: 'key', name };
}

/** A description whose rows say where the target has their content. */
type MovedResult = NonNullable<ClosedResult['described']> & { values: readonly OwnObject[] };

/** The row, with its content and what it refers to where the target has them. Content that was given up lies nowhere, and the row says of it what it said. */
export function movedRow(
  given: ArtifactEntry,
  stored: StoredContents,
  ownRows: OwnRows = new Map(),
): ArtifactEntry {
  const row = given.refs ? { ...given, refs: given.refs.map((ref) => movedRef(ref, stored)) } : given;
  const own = ownRows.get(row.name)?.own;
  if (own) return { ...row, own };
  if (row.own) {
    const content = stored.get(row.key);
    const { own: _, ...shared } = row;
    return content ? { ...shared, content } : row;
  }
  if (!row.content) return row;
  return { ...row, content: contentIn(stored, row.content) };
}

/** A content as it lies in the target; one that was given up as it lay in the source, but at no place. */
function contentIn(stored: StoredContents, content: StoredContent): StoredContent {
  const { place: _, ...elsewhere } = content;
  return stored.get(content.key) ?? elsewhere;
}

/** What a value refers to, where the target has it. */
export function movedRef(ref: ContentRef, stored: StoredContents): ContentRef {
  return { ...ref, place: stored.get(ref.name)?.place ?? HERE };
}

/** The target holds something else. */
export function refused(what: string, why: string): StowageError {
  return new StowageError(
    'ATTEMPT_EXISTS',
    `${what} ${why}, and the target keeps what it holds. Compare the two; copy into another store to have both.`,
    { details: { what } },
  );
}

/** A copy was interrupted, and a collector of the target gave up on what it had left open. */
export function givenUp(what: string): StowageError {
  return new StowageError(
    'ATTEMPT_FENCED',
    `${what} was given up in the target: a collector heard nothing of it for a day, and its number cannot be used again. Copy into another store.`,
    { details: { what } },
  );
}

/** Content that is written, and gone whenever it is looked for. */
export function contentLost(which: string, { what, session }: CopyIdentity): StowageError {
  return new StowageError(
    'CONTENT_LOST',
    `The ${which} of ${what} is deleted from the target as fast as it is written. See who deletes there, and copy it again.`,
    { details: { session } },
  );
}
