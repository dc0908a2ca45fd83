import { isDeepStrictEqual } from 'node:util';
import { digestBytes, digestHex } from '../digest/blake3.ts';
import { StowageError } from '../errors.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import { holdsBytes } from '../format/create-own.ts';
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
import { encodeRecord } from '../format/record.ts';
import type { RecordSubject } from '../format/record-fields.ts';
import {
  decodeAttempt,
  decodeDone,
  encodeAttempt,
  encodeDone,
  erasedFile,
  readSessionFile,
  SESSION_FILES,
  type SessionOrigin,
  thisOwner,
} from '../format/session-files.ts';
import { newSessionId, padSequence, type SessionId } from '../format/session-id.ts';
import type { StoredContent } from '../format/stored-content.ts';
import { Heartbeat } from '../sessions/heartbeat.ts';
import { type ClosedResult, comparableDescription } from './closed-result.ts';
import { type StagedContents, type StoredContents, stageContents, toSought } from './copy-content.ts';
import type { CopyContext } from './copy-context.ts';

/** A session of the target that holds the copy of another store's. */
export interface CopiedSession {
  /** What the names of its files begin with. */
  base: string;
  /** What it is a session of, as its records say. */
  subject: RecordSubject;
  session: SessionId;
  origin: SessionOrigin;
  /** How to name it to people. */
  what: string;
}

const DOMAIN = 'stowage copy 1';
/** More pins than these do not go into attempt.json. */
const MAX_FIRST_PINS = 1_000;
const MAX_PINS_A_RECORD = 10_000;
/** How often content is written again that is gone whenever it is looked for. */
const MAX_TRIES = 3;
const PIN_NUMBERS = 100_000_000;

/**
 * The session of an attempt's copy in a store. All copiers of one attempt arrive at the same, so that each can go on where another
 * one was interrupted. Nothing but the session's own records bears its name: content is written under sessions of the copier.
 */
export function copiedSessionId(targetId: string, origin: SessionOrigin): SessionId {
  const digest = digestBytes(Buffer.from(JSON.stringify([DOMAIN, targetId, origin.session])));
  return newSessionId((bytes) => digest.subarray(0, bytes));
}

/**
 * Writes the copy of a closed session, whose content lies in the target already, under sessions that stay open until this has
 * ended. The steps are a writer's; each may be made by another copier as well, before, after or at the same time:
 *
 * 1. attempt.json, with pins of all content. It is one's own if it names the session, and that it is a copy.
 * 2. The collector's log is read and the content looked at, as if it were somebody else's: now that it is pinned here, what is found is safe.
 * 3. What `alongside` writes, which belongs to the attempt.
 * 4. metadata.json; or the one that another copier wrote, if it says the same.
 * 5. Marks, and then DONE.
 *
 * @throws StowageError `ATTEMPT_EXISTS`, `ATTEMPT_FENCED` where the target holds something else
 */
export async function writeCopiedSession(
  context: CopyContext,
  copy: CopiedSession,
  result: ClosedResult,
  staged: StagedContents | undefined,
  alongside: () => Promise<void> = async () => {},
): Promise<void> {
  const { storage } = context.target;
  const heartbeat = new Heartbeat(storage, copy.session);
  try {
    const writing = new CopyWriting(context, copy, result);
    await writing.open([...(staged?.stored.keys() ?? [])].sort());
    if (staged) await writing.relyOn(staged);
    await alongside();
    await writing.describe(staged?.stored ?? new Map());
    await writing.close();
  } finally {
    await heartbeat.stop();
  }
}

class CopyWriting {
  readonly #context: CopyContext;
  readonly #copy: CopiedSession;
  readonly #result: ClosedResult;
  readonly #pinned = new Set<string>();
  #wasOpen = false;
  #metadataDigest: string | undefined;

  constructor(context: CopyContext, copy: CopiedSession, result: ClosedResult) {
    this.#context = context;
    this.#copy = copy;
    this.#result = result;
  }

  async open(keys: readonly string[]): Promise<void> {
    const { session, subject, origin, what } = this.#copy;
    const pins = keys.length <= MAX_FIRST_PINS ? keys.map(keyRef) : [];
    const { startedAt } = this.#result;
    const record = encodeAttempt({ session, startedAt, owner: thisOwner(), pins, origin }, subject);
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

  /** What is not found any more is written again; the pins keep it from now on. */
  async relyOn({ contents, stored, session }: StagedContents): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const sought = contents.map((content) => {
        const { key, bytes } = stored.get(content.address.key) as StoredContent;
        return toSought({ ...content, address: { key, bytes } });
      });
      const found = await session.rely(sought, this.#context.options);
      const gone = contents.filter((_, index) => !found[index]);
      for (const content of found) if (content) stored.set(content.key, content);
      if (gone.length === 0) return;
      const again = await stageContents(this.#context, gone, session);
      for (const [key, content] of again.stored) stored.set(key, content);
    }
    throw this.#lost('content');
  }

  /** metadata.json, or ERASED.<k>.json; nothing where the source has no description. */
  async describe(stored: StoredContents): Promise<void> {
    const { described, erased } = this.#result;
    if (!described) return;
    const table = {
      ...described.table,
      artifacts: described.table.artifacts.map((row) => moved(row, stored)),
    };
    const file = erased ? erasedFile(erased.revision) : SESSION_FILES.metadata;
    let body = await this.#encode({ ...described, table });
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

  /** An earlier copier may have described it before the source gave it up. */
  async #deleteDescription(): Promise<void> {
    const { target, options } = this.#context;
    const [failure] = await target.storage.delete([this.#copy.base + SESSION_FILES.metadata], options);
    if (failure) throw failure.error;
  }

  /** A large table is content as well; which, depends on the copier, so that it is pinned and looked at by itself. */
  async #encode(described: NonNullable<ClosedResult['described']>): Promise<Uint8Array> {
    const { staging, options } = this.#context;
    const body = encodeDescription(this.#description(described, described.table));
    if (body.length <= MAX_TABLE_BYTES) return body;
    return staging.use(1, async (session) => {
      const bytes = encodeTable(described.table);
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const [table] = (await session.put([{ bytes }], options)) as [StoredContent];
        await this.#pin([table.key]);
        const [found] = await session.rely([table], options);
        if (found) return encodeDescription(this.#description(described, found));
      }
      throw this.#lost('table');
    });
  }

  #description(
    { metadata, readFrom }: NonNullable<ClosedResult['described']>,
    table: Description['table'],
  ): Description {
    const { erased, startedAt } = this.#result;
    const { session, subject } = this.#copy;
    const why = erased ? { reason: erased.reason, erased: [...erased.artifacts] } : {};
    return { session, subject: { ...subject, ...why }, startedAt, table, metadata, readFrom: [...readFrom] };
  }

  #lost(which: string): StowageError {
    return new StowageError(
      'CONTENT_LOST',
      `The ${which} of ${this.#copy.what} is deleted from the target as fast as it is written. See who deletes there, and copy it again.`,
      { details: { session: this.#copy.session } },
    );
  }

  async #saysTheSame(standing: Uint8Array): Promise<boolean> {
    const what = this.#uri(SESSION_FILES.metadata);
    const { session, table, metadata, readFrom } = decodeDescription(standing, what, this.#copy.subject);
    const found: ArtifactTable =
      typeof table === 'function'
        ? table()
        : decodeTable(await this.#context.target.reader.load(table, this.#context.options), what);
    const ours = this.#result.described as NonNullable<ClosedResult['described']>;
    const theirs = { table: found, metadata, readFrom };
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
      const record = encodeRecord({ format: 1, kind: 'pins', session, entries });
      const digest = digestBytes(record);
      let number = Buffer.from(digest).readUInt32LE() % PIN_NUMBERS;
      while (!(await this.#createPins(number, record))) number = (number + 1) % PIN_NUMBERS;
      for (const { name } of entries) this.#pinned.add(name);
    }
  }

  async #createPins(number: number, record: Uint8Array): Promise<boolean> {
    const name = `pins/${this.#copy.session}/${padSequence(number)}.json`;
    return this.#createNamed(name, record, 'deferred');
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
    const { storage } = this.#context.target;
    const { signal } = this.#context.options;
    if (await storage.create(name, body, { signal, durability })) return true;
    await storage.persist([name], { signal });
    return holdsBytes(storage, name, body, signal);
  }

  async #read(file: string, maxBytes?: number): Promise<Uint8Array | undefined> {
    const { storage } = this.#context.target;
    const { options } = this.#context;
    const name = this.#copy.base + file;
    if (maxBytes === undefined) return readSessionFile(storage, name, options);
    return (await storage.get(name, { ...options, maxBytes }))?.body;
  }

  #uri(file: string): string {
    return this.#context.target.storage.uri(this.#copy.base + file);
  }
}

function keyRef(name: string): ContentRef {
  return { place: HERE, kind: 'key', name };
}

/** The row, with its content where the target has it. Content that was given up lies nowhere, and the row says of it what it said. */
function moved(row: ArtifactEntry, stored: StoredContents): ArtifactEntry {
  if (!row.content) return row;
  const found = stored.get(row.key);
  if (found) return { ...row, content: found };
  const { key, copy, bytes, storedBytes, root } = row.content;
  return { ...row, content: { key, copy, bytes, storedBytes, ...(root === undefined ? {} : { root }) } };
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
