import type { ContentReader } from '../content/reading/content-reader.ts';
import { StowageError } from '../errors.ts';
import {
  type AttemptFiles,
  attemptBase,
  attemptSubject,
  latestAttempt,
  listAttempts,
  type TaskAttempts,
} from '../format/attempt-files.ts';
import {
  type CurrentDescription,
  type DescriptionMarks,
  type Erasure,
  readCurrentDescription,
} from '../format/current-description.ts';
import {
  type ArtifactTable,
  type CachedCall,
  decodeDescription,
  decodeTable,
  openDescription,
  type ReadDescription,
} from '../format/description.ts';
import { readMetadataParts } from '../format/metadata-parts.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { RecordSubject } from '../format/record-fields.ts';
import type { ReportEntry } from '../format/report-records.ts';
import {
  type AttemptRecord,
  type DoneRecord,
  decodeAttempt,
  decodeDone,
  readSessionFile,
  SESSION_FILES,
} from '../format/session-files.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { ClosedRecords, MetadataCache } from './metadata-cache.ts';
import type { Metadata } from './metadata-parts.ts';
import {
  attemptDeleted,
  attemptNotDone,
  attemptNotFound,
  noneDone,
  taskNotFound,
} from './unreadable-attempts.ts';

/** The choice of an attempt of a task. */
export interface ReadRule {
  /**
   * Default: the latest attempt that was started, which must be done.
   * A number: that attempt. `latestDone`: the latest attempt that is done, whatever was started since.
   */
  attempt?: number | 'latestDone' | undefined;
  /** Lets an attempt be read that is open, failed or abandoned. Default `false`. */
  allowNotDone?: boolean | undefined;
}

/** The state that an attempt has reached. */
export type AttemptStatus = 'open' | 'done' | 'failed' | 'abandoned';

/** An attempt as its records tell it. */
export interface ReadAttempt {
  path: TaskPath;
  attempt: number;
  status: AttemptStatus;
  /** ISO 8601. */
  startedAt: string;
  /** The name that its owner gave it. */
  label?: string | undefined;
  /** ISO 8601; absent while it is open. */
  closedAt?: string;
  done?: DoneRecord;
  /** The process that opened it, and its session; told of attempts that are open or abandoned, for which attempt.json is read. */
  opened?: Pick<AttemptRecord, 'owner' | 'session'>;
  /** Absent for attempts that are open or abandoned: they described nothing. */
  described?: {
    table: () => ArtifactTable;
    readFrom: readonly string[];
    /** The cached call whose result it is to be. */
    cached?: CachedCall | undefined;
    /** The attempt that it was taken over from, `<flow>/<run>/<step>/<task>/<n>`. */
    takenOver?: string | undefined;
    /** True where the function of the task returned a value, or may have, which is not kept. */
    returned?: true | undefined;
    /** The last versions of its reports. */
    reports: readonly ReportEntry[];
  };
  metadata: Metadata;
  /** Retention gave up the attempt's content; its history and inline values remain. */
  purged: boolean;
  /** The reason of the last erasure, its number from 0, and all artifacts that were erased. */
  erased?: Erasure;
}

/** Options of reading attempts. */
export interface ReadAttemptOptions extends CallOptions {
  /** Keeps what closed attempts left for good; used where the attempts were listed with `details`. Default: none. */
  metadataCache?: MetadataCache | undefined;
  /**
   * Parses a description once a member that it tells is asked for, which throws then what is wrong with it. Its bytes are checked
   * against DONE before. Default `false`.
   */
  late?: boolean | undefined;
}

/** Reads one attempt of a task: by a LIST, DONE and metadata.json; by the LIST alone where a cache has the others. */
export async function readTask(
  storage: DataStoreStorage,
  reader: ContentReader,
  path: TaskPath,
  rule: ReadRule,
  options: ReadAttemptOptions,
): Promise<ReadAttempt> {
  const { signal, metadataCache } = options;
  const listing = { signal, details: metadataCache !== undefined };
  if (typeof rule.attempt === 'number') {
    // A task may have been tried a thousand times: what others it has is of use to errors only.
    const own = await listAttempts(storage, path, { ...listing, attempt: rule.attempt });
    const files = own.get(rule.attempt);
    const found = files && (await new TaskReader(storage, reader, path, options).read(rule.attempt, files));
    if (found && (found.status === 'done' || rule.allowNotDone)) return found;
  }
  const attempts = await listAttempts(storage, path, listing);
  if (attempts.size === 0) throw await taskNotFound(storage, path, { signal });
  return readAttempt(storage, reader, path, attempts, rule, options);
}

/** Reads one attempt of a task whose attempts were listed already. */
export async function readAttempt(
  storage: DataStoreStorage,
  reader: ContentReader,
  path: TaskPath,
  attempts: TaskAttempts,
  rule: ReadRule,
  options: ReadAttemptOptions,
): Promise<ReadAttempt> {
  const one = new TaskReader(storage, reader, path, options);
  if (rule.attempt === 'latestDone') return one.latestDone(attempts);
  const number = rule.attempt ?? latestAttempt(attempts);
  const files = attempts.get(number);
  if (!files) throw attemptNotFound(path, number, attempts);
  if (!files.has('done') && !files.has('deleted') && !rule.allowNotDone)
    throw attemptNotDone(path, number, { status: 'open' }, attempts, rule);
  const found = await one.read(number, files);
  if (found.status !== 'done' && !rule.allowNotDone)
    throw attemptNotDone(path, number, found, attempts, rule);
  return found;
}

type FoundDescription = Pick<CurrentDescription, 'description' | 'erased'>;

/** DONE as it was read, with metadata.json where a cache had both. */
type ReadDone = Omit<ClosedRecords, 'metadata'> & Partial<ClosedRecords>;

/** A description whose table is here. */
type WholeDescription = ReadDescription & { table: () => ArtifactTable };

/**
 * An attempt that is done or failed. Its description is asked as late as can be, by getters of the class: those of a literal would be kept by
 * its hidden class, and with them each description until all of the memory is looked through.
 */
class ClosedAttempt implements ReadAttempt {
  readonly path: TaskPath;
  readonly attempt: number;
  readonly status: AttemptStatus;
  readonly closedAt: string;
  readonly done: DoneRecord;
  readonly described: WholeDescription;
  readonly purged: boolean;
  declare readonly erased?: Erasure;

  constructor(
    path: TaskPath,
    attempt: number,
    done: DoneRecord,
    described: WholeDescription,
    { purged, erased }: Pick<ReadAttempt, 'purged' | 'erased'>,
  ) {
    this.path = path;
    this.attempt = attempt;
    this.status = done.outcome;
    this.closedAt = done.closedAt;
    this.done = done;
    this.described = described;
    this.purged = purged;
    if (erased) this.erased = erased;
  }

  get startedAt(): string {
    return this.described.startedAt;
  }

  get label(): string | undefined {
    return this.described.label;
  }

  get metadata(): Metadata {
    return this.described.metadata;
  }
}

/** Reads attempts of one task. */
class TaskReader {
  readonly #storage: DataStoreStorage;
  readonly #reader: ContentReader;
  readonly #path: TaskPath;
  readonly #cache: MetadataCache | undefined;
  readonly #options: CallOptions;
  readonly #late: boolean;

  constructor(
    storage: DataStoreStorage,
    reader: ContentReader,
    path: TaskPath,
    { signal, metadataCache, late = false }: ReadAttemptOptions,
  ) {
    this.#storage = storage;
    this.#reader = reader;
    this.#path = path;
    this.#cache = metadataCache;
    this.#options = { signal };
    this.#late = late;
  }

  async latestDone(attempts: TaskAttempts): Promise<ReadAttempt> {
    const closed = [...attempts].filter(([, files]) => files.has('done') && !files.has('deleted'));
    const latest = latestAttempt(attempts);
    let status: AttemptStatus | 'deleted' = attempts.get(latest)?.has('deleted') ? 'deleted' : 'open';
    for (const [number, files] of closed.sort(([a], [b]) => b - a)) {
      const found = await this.read(number, files);
      if (found.status === 'done') return found;
      if (number === latest) status = found.status;
    }
    throw noneDone(this.#path, attempts, status);
  }

  async read(number: number, files: AttemptFiles): Promise<ReadAttempt> {
    if (files.has('deleted')) throw attemptDeleted(this.#path, number);
    const base = attemptBase(this.#path, number);
    const closed =
      (await this.#fromCache(number, files)) ??
      (files.has('done') ? await this.#readDone(number) : undefined);
    const done = closed?.done;
    if (!done || done.outcome === 'abandoned') return this.#readUndescribed(number, base, done);
    const { description, erased } = await this.#readDescription(number, base, closed, files);
    return new ClosedAttempt(this.#path, number, done, await this.#withTable(description), {
      purged: files.has('purged'),
      ...(erased ? { erased } : {}),
    });
  }

  /** The subject of an attempt's records: one session, where DONE tells which. */
  #subject(number: number, done: DoneRecord | undefined): RecordSubject {
    const subject = attemptSubject(this.#path, number);
    return done ? { ...subject, session: done.session } : subject;
  }

  /** An attempt that something was erased from is not asked for: the cache has it as it was. */
  async #fromCache(number: number, files: AttemptFiles): Promise<ClosedRecords | undefined> {
    if (!files.listedDone || files.has('erased')) return undefined;
    return this.#cache?.get(files.listedDone, attemptSubject(this.#path, number), this.#options);
  }

  async #readDone(number: number): Promise<ReadDone> {
    const name = attemptBase(this.#path, number) + SESSION_FILES.done;
    const doneBytes = await readSessionFile(this.#storage, name, this.#options);
    if (!doneBytes) throw damage(name, 'it was listed but cannot be read');
    return { done: decodeDone(doneBytes, name, attemptSubject(this.#path, number)), doneBytes };
  }

  /** Reads an attempt that is open, or that a collector gave up on: attempt.json, and its metadata part by part. */
  async #readUndescribed(number: number, base: string, done: DoneRecord | undefined): Promise<ReadAttempt> {
    const name = base + SESSION_FILES.attempt;
    const body = await readSessionFile(this.#storage, name, this.#options);
    if (!body) throw damage(name, 'the attempt has other files, but this one is missing');
    const { startedAt, label, owner, session } = decodeAttempt(body, name, this.#subject(number, done));
    return {
      path: this.#path,
      attempt: number,
      status: done ? 'abandoned' : 'open',
      startedAt,
      label,
      ...(done ? { closedAt: done.closedAt, done } : {}),
      opened: { owner, session },
      metadata: await readMetadataParts(this.#storage, this.#path, number, this.#options),
      purged: false,
    };
  }

  /** @throws StowageError `ATTEMPT_DELETED` where it was given up since it was listed */
  async #readDescription(
    number: number,
    base: string,
    { done, doneBytes, metadata: cached }: ReadDone,
    files: AttemptFiles,
  ): Promise<FoundDescription> {
    const subject = this.#subject(number, done);
    if (cached) {
      const decode = this.#late ? openDescription : decodeDescription;
      return { description: decode(cached, base + SESSION_FILES.metadata, subject) };
    }
    const { signal } = this.#options;
    const listAgain = async (): Promise<DescriptionMarks | undefined> => {
      const now = (await listAttempts(this.#storage, this.#path, { signal, attempt: number })).get(number);
      return now && { isDeleted: now.has('deleted'), erasedRevision: now.erasedRevision };
    };
    const session = { base, subject, done };
    const found = await readCurrentDescription(this.#storage, session, files, listAgain, {
      signal,
      late: this.#late,
    });
    if (!found) throw attemptDeleted(this.#path, number);
    const { metadata } = found;
    if (files.listedDone && metadata)
      await this.#cache?.set(files.listedDone, { done, doneBytes, metadata }, this.#options);
    return found;
  }

  /** A table that was moved is loaded; its description was decoded whole. */
  async #withTable(description: ReadDescription): Promise<WholeDescription> {
    const { table } = description;
    if (typeof table === 'function') return description as WholeDescription;
    const moved = decodeTable(await this.#reader.load(table, this.#options), table.copy);
    return { ...description, table: () => moved };
  }
}

function damage(what: string, why: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} is damaged: ${why}. Restore it from a copy of the store.`,
    {
      details: { what },
    },
  );
}
