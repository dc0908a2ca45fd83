import { orAborted } from '../../async/next-or-aborted.ts';
import { isError, isStowageError, messageOf, StowageError, throwIfAborted } from '../../errors.ts';
import { checkBody, isStream, readChunks } from '../../streams/body-stream.ts';
import { closedError, listLimit, readableRange } from '../checks.ts';
import type {
  CallOptions,
  CreateOptions,
  DataStoreStorage,
  DeleteFailure,
  GetOptions,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
  OverwriteOptions,
  PersistOptions,
  StorageCapabilities,
  StorageDatabase,
  StoredObject,
} from '../contract.ts';
import { MAX_PAGE_ENTRIES } from '../list-pages.ts';
import { compareNames } from '../name-order.ts';
import { validateObjectName, validatePrefix } from '../names.ts';
import { CreateBatches } from './create-batches.ts';
import type { Row, SqlDatabase, SqlWords } from './database.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { endOfFolder, endOfPrefix } from './name-ranges.ts';

/** A listing that goes on: the names from `from` on, or behind `after`, and before `end`. */
interface Stretch {
  from: string;
  isAfter: boolean;
  end: string | undefined;
}

/**
 * Keeps objects in one table of a database, for records and small values; an object has 8 MiB at most. Of what is asked of storages
 * nothing needs more than single statements, so that no transaction of a reader spans two of them.
 */
export class SqlStorage implements DataStoreStorage {
  readonly type: string;
  readonly capabilities: StorageCapabilities;
  readonly #database: SqlDatabase;
  readonly #selects: ReturnType<typeof selectsOf>;
  readonly #creates: CreateBatches;
  #closing: Promise<void> | undefined;

  constructor(database: SqlDatabase) {
    this.type = database.type;
    this.capabilities = Object.freeze({
      createIfAbsent: true,
      ifMatch: true,
      rangeReads: true,
      localReads: database.localReads,
      sharedByProcesses: true,
      maxObjectBytes: MAX_BODY_BYTES,
      nameEncoding: 'exact',
    });
    this.#database = database;
    this.#selects = selectsOf(database.words);
    this.#creates = new CreateBatches(database);
  }

  async get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    validateObjectName(name);
    // The part that may be returned is decided before it is read: of no object there is more.
    readableRange(name, 0, options);
    const maxBytes = Math.min(options.maxBytes ?? MAX_BODY_BYTES, MAX_BODY_BYTES);
    const { range } = options;
    const row = range
      ? await this.#first('get', name, options, this.#selects.part, [
          name,
          range.offset,
          Math.min(range.length, MAX_BODY_BYTES),
          maxBytes,
        ])
      : await this.#first('get', name, options, this.#selects.whole, [name, maxBytes]);
    if (!row) return undefined;
    const info = infoOf(name, row);
    readableRange(name, info.bytes, options);
    return { ...info, body: bytesOf(row[3]) };
  }

  async create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.#begin(options);
    validateObjectName(name);
    checkBody(body);
    const bytes = isStream(body) ? await collect(name, body, options.signal) : body;
    checkSize(name, bytes.length);
    this.#begin(options);
    return this.#told('create', name, options, (signal) =>
      orAborted(() => this.#creates.create({ name, body: bytes }), signal),
    );
  }

  async overwrite(name: string, body: Uint8Array, options: OverwriteOptions = {}): Promise<string> {
    this.#begin(options);
    validateObjectName(name);
    checkBody(body);
    checkSize(name, body.length);
    const { ifMatch } = options;
    const isVersion = ifMatch === undefined || /^[1-9]\d{0,17}$/.test(ifMatch);
    const write = async (): Promise<string | undefined> =>
      isVersion ? this.#database.overwrite({ name, body }, ifMatch) : undefined;
    const version = await this.#told('overwrite', name, options, (signal) => orAborted(write, signal));
    if (version !== undefined) return version;
    throw new StowageError(
      'PRECONDITION_FAILED',
      `"${name}" is not at version ${ifMatch} any more; read it again before you replace it.`,
      { details: { name, ifMatch } },
    );
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    validateObjectName(name);
    const row = await this.#first('head', name, options, this.#selects.info, [name]);
    return row && infoOf(name, row);
  }

  async *list(options: ListOptions): AsyncGenerator<ListPage, void> {
    const { prefix, startAfter = '', depth = 'all' } = options;
    this.#begin(options);
    validatePrefix(prefix);
    let left = listLimit(options);
    const isBehind = compareNames(startAfter, prefix) >= 0;
    let stretch: Stretch | undefined = {
      from: isBehind ? startAfter : prefix,
      isAfter: isBehind && startAfter !== '',
      end: endOfPrefix(prefix),
    };
    // Of a folder that was listed already, nothing more is.
    if (depth === 'one' && startAfter.startsWith(prefix)) {
      const slash = startAfter.indexOf('/', prefix.length);
      if (slash >= 0)
        stretch = { ...stretch, from: endOfFolder(startAfter.slice(0, slash + 1)), isAfter: false };
    }
    while (stretch && left > 0) {
      const most = Math.min(left, MAX_PAGE_ENTRIES);
      const page: { page: ListPage; rest: Stretch | undefined } =
        depth === 'one'
          ? await this.#level(stretch, most, options)
          : await this.#below(stretch, most, options);
      const given = page.page.objects.length + page.page.folders.length;
      if (given === 0) return;
      left -= given;
      stretch = given < most ? undefined : page.rest;
      yield page.page;
      this.#begin(options);
    }
  }

  /** One page of all objects below a prefix. */
  async #below(
    { from, isAfter, end }: Stretch,
    most: number,
    options: ListOptions,
  ): Promise<{ page: ListPage; rest: Stretch }> {
    const details = options.details ? `, ${this.#database.words.length} as bytes, modified` : '';
    const before = end === undefined ? '' : ' and name < $3';
    const select = `select name${details} from stowage_objects where name ${isAfter ? '>' : '>='} $1${before} order by name limit $2`;
    const parameters = end === undefined ? [from, most] : [from, most, end];
    const rows = await this.#read('list', options.prefix, options, select, parameters);
    const objects = rows.map((row) => listed(row, options.details));
    const last = objects.at(-1)?.name ?? '';
    return { page: { objects, folders: [] }, rest: { from: last, isAfter: true, end } };
  }

  /** One page of one level: from name to name, past each folder in one step. */
  async #level(
    { from, isAfter, end }: Stretch,
    most: number,
    options: ListOptions,
  ): Promise<{ page: ListPage; rest: Stretch }> {
    const { position, length } = this.#database.words;
    const at = [...options.prefix].length + 1;
    const rest = (of: string): string => `substr(${of}, ${at})`;
    const slash = position(rest('t.name'), "'/'");
    const before = end === undefined ? '' : ' and o.name < $3';
    const next = `select min(o.name) from stowage_objects o where`;
    const select = `with recursive t(name) as (
      select * from (${next} o.name ${isAfter ? '>' : '>='} $1${before}) first_one
      union all
      select case when ${slash} > 0
        then (${next} o.name >= substr(t.name, 1, ${at - 2} + ${slash}) || '0'${before})
        else (${next} o.name > t.name${before}) end
      from t where t.name is not null
    ) select t.name as name${options.details ? `, ${length} as bytes, o.modified as modified` : ''} from (select name from t where name is not null limit $2) t
      ${options.details ? 'left join stowage_objects o on o.name = t.name' : ''} order by t.name`;
    const parameters = end === undefined ? [from, most] : [from, most, end];
    const rows = await this.#read('list', options.prefix, options, select, parameters);
    const page: ListPage = { objects: [], folders: [] };
    let last = '';
    for (const row of rows) {
      const name = String(row.name);
      const slashAt = name.indexOf('/', options.prefix.length);
      if (slashAt < 0) page.objects.push(listed(row, options.details));
      else page.folders.push(name.slice(0, slashAt + 1));
      last = slashAt < 0 ? name : endOfFolder(name.slice(0, slashAt + 1));
    }
    const isFolder = rows.length > 0 && String(rows.at(-1)?.name).indexOf('/', options.prefix.length) >= 0;
    return { page, rest: { from: last, isAfter: !isFolder, end } };
  }

  async delete(names: readonly string[], options: CallOptions = {}): Promise<DeleteFailure[]> {
    this.#begin(options);
    const failures: DeleteFailure[] = [];
    const valid: string[] = [];
    for (const name of names) {
      try {
        valid.push(validateObjectName(name));
      } catch (error) {
        failures.push({ name, error: error as Error });
      }
    }
    for (let at = 0; at < valid.length; at += MAX_PAGE_ENTRIES) {
      const some = valid.slice(at, at + MAX_PAGE_ENTRIES);
      try {
        await this.#told('delete', some[0] as string, options, (signal) =>
          orAborted(() => this.#database.delete(some), signal),
        );
      } catch (error) {
        if (isStowageError(error, 'ABORTED', 'STORAGE_CLOSED') || !isError(error)) throw error;
        failures.push(...some.map((name) => ({ name, error })));
      }
    }
    return failures;
  }

  /** What is visible is durable. */
  async persist(names: readonly string[], options: PersistOptions = {}): Promise<void> {
    this.#begin(options);
    names.forEach(validateObjectName);
  }

  uri(name: string): string {
    const path = validateObjectName(name).split('/').map(encodeURIComponent).join('/');
    return `${this.#database.address}/${path}`;
  }

  get database(): StorageDatabase {
    return this.#database.tables;
  }

  close(): Promise<void> {
    this.#closing ??= this.#database.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read(
    operation: string,
    name: string,
    options: CallOptions,
    statement: string,
    parameters: readonly unknown[],
  ): Promise<readonly Row[]> {
    return this.#told(operation, name, options, (signal) =>
      this.#database.read(statement, parameters, signal),
    );
  }

  #first(
    operation: string,
    name: string,
    options: CallOptions,
    statement: string,
    parameters: readonly unknown[],
  ): Promise<readonly unknown[] | undefined> {
    return this.#told(operation, name, options, (signal) =>
      this.#database.first(statement, parameters, signal),
    );
  }

  /** Tells the error of a database in the words of this package. */
  async #told<T>(
    operation: string,
    name: string,
    options: CallOptions,
    call: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    this.#begin(options);
    try {
      return await call(options.signal);
    } catch (error) {
      const fault = isStowageError(error) ? undefined : this.#database.classify(error);
      if (!fault) throw error;
      const { address, type } = this.#database;
      const { code, what, remedy, neverAnswered } = fault;
      throw new StowageError(
        code,
        `Cannot ${operation} "${name}" in ${address}: ${what} (${wordsOf(error)}); ${remedy}.`,
        {
          details: {
            operation,
            name,
            type,
            address,
            cause: codeOf(error),
            ...(neverAnswered ? { neverAnswered } : {}),
          },
          cause: error,
        },
      );
    }
  }

  #begin(options: CallOptions): void {
    if (this.#closing) throw closedError(this.type);
    throwIfAborted(options.signal);
  }
}

/** The words of a database's error. That of a host whose addresses all refuse has only a code. */
export function wordsOf(error: unknown): string {
  return messageOf(error) || codeOf(error) || 'no reason given';
}

/** The code that a database gave its error. */
export function codeOf(error: unknown): string | undefined {
  const code = isError(error) ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The statements that read one object, each with the columns that {@link infoOf} takes, and the body behind them. */
function selectsOf({ length, bytes }: SqlWords): { info: string; whole: string; part: string } {
  const select = (body: string): string =>
    `select ${length} as bytes, modified, id${body} from stowage_objects where name = $1`;
  const part = `case when ${length} - $2 <= $4 or $3 <= $4 then ${bytes('$2', '$3')} end`;
  return {
    info: select(''),
    whole: select(`, case when ${length} <= $2 then body end as body`),
    part: select(`, ${part} as body`),
  };
}

/** The columns of one object come in this order. */
function infoOf(name: string, [bytes, modified, id]: readonly unknown[]): ObjectInfo {
  return { name, bytes: Number(bytes), modifiedAtMs: Number(modified), version: String(id) };
}

function listed({ name, bytes, modified }: Row, details: boolean | undefined): ListedObject {
  return details
    ? { name: String(name), bytes: Number(bytes), modifiedAtMs: Number(modified) }
    : { name: String(name) };
}

/** The bytes of a value as libraries give it. */
function bytesOf(value: unknown): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(0);
}

function checkSize(name: string, bytes: number): void {
  if (bytes <= MAX_BODY_BYTES) return;
  throw new StowageError(
    'OBJECT_TOO_LARGE',
    `"${name}" has more than the ${MAX_BODY_BYTES} bytes that an object in a database may have. Keep large content in a folder or a bucket: open the flow with a rawDataPath.`,
    { details: { name, maxBytes: MAX_BODY_BYTES } },
  );
}

async function collect(
  name: string,
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(stream, signal)) {
    bytes += chunk.length;
    checkSize(name, bytes);
    chunks.push(new Uint8Array(chunk));
  }
  return Buffer.concat(chunks, bytes);
}
