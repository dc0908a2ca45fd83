import { JsonPieces, jsonText, KeptJson } from '../codec/json-text.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { isUserName } from '../storage/names.ts';
import { isContentKey } from './content-names.ts';
import { type ContentRef, readReferences } from './content-ref.ts';
import type { JsonValue } from './json-value.ts';
import {
  type OwnObject,
  type OwnValue,
  ownObjectsFields,
  readOwnObjects,
  readOwnValue,
} from './own-values.ts';
import { decodeVerifiedRecord, encodeRecord, MAX_RECORD_BYTES } from './record.ts';
import {
  checkIdentity,
  type RecordSubject,
  readInteger,
  readObject,
  readObjects,
  readOptional,
  readRecord,
  readString,
  readStrings,
  readTime,
} from './record-fields.ts';
import { type ReportEntry, readReports, reportsFields } from './report-records.ts';
import { readStoredContent, type StoredContent } from './stored-content.ts';

/** One row of an artifact table. Its bytes lie in `content`, in an object of the attempt's own (`own`), or in the row itself (`inline`). */
export interface ArtifactEntry {
  name: string;
  /** The name that people have for the value: `object`, `Float64Array`, ... */
  type: string;
  /** The id of the serializer that made the bytes. */
  encoding: string;
  /** Data that the serializer needs beside the bytes. */
  info?: Record<string, JsonValue>;
  /** BLAKE3-256 of the serialized bytes, inline or not. */
  key: string;
  /** Length of the serialized bytes. */
  bytes: number;
  /** The contents that references inside the value point at. Absent where it holds none. */
  refs?: readonly ContentRef[];
  content?: StoredContent;
  own?: OwnValue;
  inline?: InlineValue;
}

/** A small value kept in the row: as plain JSON where JSON carries it exactly, else its serialized bytes. */
export type InlineValue = { json: JsonValue } | { base64: string };

/** The rows of a description. */
export interface ArtifactTable {
  artifacts: ArtifactEntry[];
}

/** The content of metadata.json: whose session it is, what it saved, its metadata, and what it read. */
export interface Description {
  session: string;
  /** The attempt's names, or `loose`. */
  subject: Record<string, JsonValue>;
  startedAt: string;
  /** As in attempt.json. */
  label?: string | undefined;
  /** The table, or the content it was moved to because it is large. */
  table: ArtifactTable | StoredContent;
  /** The attempt's objects of values. Default: none. */
  values?: readonly OwnObject[] | undefined;
  /** The last versions of its reports. Default: none. */
  reports?: readonly ReportEntry[] | undefined;
  /** The user's own metadata. */
  metadata: Record<string, JsonValue>;
  /** Pathspecs of the attempts whose artifacts were read. */
  readFrom: string[];
  /** Present in an attempt whose artifacts are to be the result of a cached call. */
  cached?: CachedCall | undefined;
  /** The attempt of the run that is resumed which this one was taken over from, `<flow>/<run>/<step>/<task>/<n>`. */
  takenOver?: string | undefined;
  /** True where the function of the task returned a value, or may have, which is not kept. */
  returned?: true | undefined;
}

/** The call whose result an attempt is to be, whether or not an entry says so. */
export interface CachedCall {
  /** The cache key of the call. */
  key: string;
  /** The time that the function ran, in whole milliseconds. */
  durationMs: number;
}

/** A description as it is read: the reader knows whose it is. */
export interface ReadDescription extends Omit<Description, 'subject' | 'table' | 'values' | 'reports'> {
  /** Reads the rows when they are asked for; many descriptions are opened for less. */
  table: (() => ArtifactTable) | StoredContent;
  values: readonly OwnObject[];
  reports: readonly ReportEntry[];
}

/** An artifact table beyond this many bytes of JSON moves into content. */
export const MAX_TABLE_BYTES: number = 4 * 1024 * 1024;
/** The largest description a reader accepts. */
export const MAX_DESCRIPTION_BYTES: number = 64 * 1024 * 1024;

export function encodeDescription({ table, ...description }: Description): Uint8Array {
  const { session, subject, startedAt, label, values = [], reports = [] } = description;
  const { metadata, readFrom, cached, takenOver, returned } = description;
  const rows = 'key' in table ? { table } : tableFields(table);
  const fields = {
    format: 1,
    kind: 'metadata',
    session,
    ...subject,
    startedAt,
    label,
    ...rows,
    values: ownObjectsFields(values),
    reports: reportsFields(reports),
    metadata,
    readFrom,
    cached,
    takenOver,
    returned,
  };
  // Values were looked at when they became rows, metadata when its parts were written, or both when they were read.
  return encodeRecord(fields, { isBounded: true });
}

/**
 * Reads metadata.json of `subject`, whose bytes were checked against the digest in DONE; throws `RECORD_DAMAGED` or
 * `UNSUPPORTED_FORMAT`, naming `what`.
 */
export function decodeDescription(bytes: Uint8Array, what: string, subject: RecordSubject): ReadDescription {
  return readDescription(decodeVerifiedRecord(bytes, what), what, subject);
}

/**
 * As {@link decodeDescription}, but the record is parsed once a member is asked for, which throws then what is wrong with it: many
 * descriptions are opened for less. A table that may have moved is told at once, since it has to be loaded.
 */
export function openDescription(bytes: Uint8Array, what: string, subject: RecordSubject): ReadDescription {
  if (mayHaveMoved(bytes)) return decodeDescription(bytes, what, subject);
  return new LateDescription(() => decodeDescription(bytes, what, subject));
}

/** Getters of a literal would keep each description until all of the memory is looked through, by the literal's hidden class. */
class LateDescription implements ReadDescription {
  readonly #decode: () => ReadDescription;
  #decoded: ReadDescription | undefined;

  constructor(decode: () => ReadDescription) {
    this.#decode = decode;
  }

  get #read(): ReadDescription {
    this.#decoded ??= this.#decode();
    return this.#decoded;
  }

  get session(): string {
    return this.#read.session;
  }

  get startedAt(): string {
    return this.#read.startedAt;
  }

  get label(): string | undefined {
    return this.#read.label;
  }

  get table(): () => ArtifactTable {
    return () => (this.#read.table as () => ArtifactTable)();
  }

  get values(): ReadDescription['values'] {
    return this.#read.values;
  }

  get reports(): ReadDescription['reports'] {
    return this.#read.reports;
  }

  get metadata(): ReadDescription['metadata'] {
    return this.#read.metadata;
  }

  get readFrom(): ReadDescription['readFrom'] {
    return this.#read.readFrom;
  }

  get cached(): ReadDescription['cached'] {
    return this.#read.cached;
  }

  get takenOver(): ReadDescription['takenOver'] {
    return this.#read.takenOver;
  }

  get returned(): ReadDescription['returned'] {
    return this.#read.returned;
  }
}

/** False of a record whose text spells `table` neither plainly nor by an escaped letter. */
function mayHaveMoved({ buffer, byteOffset, length }: Uint8Array): boolean {
  const text = Buffer.from(buffer, byteOffset, length);
  return text.includes('"table"') || text.includes('\\u00');
}

/** Decodes a record that has the members of a description of `subject`. */
export function readDescription(
  record: Record<string, unknown>,
  what: string,
  subject: RecordSubject,
): ReadDescription {
  checkIdentity(record, what, 'metadata', subject);
  const moved = readOptional(readMovedTable, record, 'table', what);
  const label = readOptional(readString, record, 'label', what);
  const cached = readOptional(readObject, record, 'cached', what);
  const takenOver = readOptional(readString, record, 'takenOver', what);
  return {
    session: readString(record, 'session', what),
    startedAt: readTime(record, 'startedAt', what),
    ...(label === undefined ? {} : { label }),
    table: moved ?? (() => readTable(record, what)),
    values: readOwnObjects(record, what),
    reports: readReports(record, what),
    metadata: readObject(record, 'metadata', what) as Record<string, JsonValue>,
    readFrom: readStrings(record, 'readFrom', what),
    ...(cached
      ? {
          cached: {
            key: readString(cached, 'key', what),
            durationMs: readInteger(cached, 'durationMs', what),
          },
        }
      : {}),
    ...(takenOver === undefined ? {} : { takenOver }),
    ...(record.returned === true ? { returned: true as const } : {}),
  };
}

function readMovedTable(record: Record<string, unknown>, field: string, what: string): StoredContent {
  const moved = readStoredContent(readObject(record, field, what), what);
  if (moved.bytes <= MAX_RECORD_BYTES) return moved;
  throw new StowageError(
    'RECORD_DAMAGED',
    `${what} names a table of ${moved.bytes} bytes, and none has more than ${MAX_RECORD_BYTES}; restore it from a copy of the store.`,
    { details: { what, bytes: moved.bytes } },
  );
}

/**
 * The content of a table that was moved: a record.
 *
 * @throws StowageError `INVALID_ARGUMENT` beyond what readers take
 */
export function encodeTable(table: ArtifactTable): Uint8Array {
  const bytes = encodeRecord({ format: 1, kind: 'artifact-table', ...tableFields(table) });
  if (bytes.length <= MAX_RECORD_BYTES) return bytes;
  throw invalidArgument(
    `An attempt has ${table.artifacts.length} artifacts, whose table takes ${bytes.length} bytes, and may take ${MAX_RECORD_BYTES}. Save fewer, larger ones.`,
    { artifacts: table.artifacts.length, bytes: bytes.length },
  );
}

export function decodeTable(bytes: Uint8Array, what: string): ArtifactTable {
  return readTable(readRecord(bytes, what, 'artifact-table'), what);
}

/** The member `artifacts` of a record that holds a table, as text: rows keep that of their values from when these were saved. */
export function tableFields({ artifacts }: ArtifactTable): { artifacts: JsonPieces } {
  const pieces: string[] = [];
  const kinds = new KindText();
  for (const entry of artifacts) {
    pieces.push(pieces.length === 0 ? '[' : ',');
    addEntryText(entry, kinds, pieces);
  }
  pieces.push(pieces.length === 0 ? '[]' : ']');
  return { artifacts: new JsonPieces(pieces) };
}

/** Piece by piece: a text for each row takes twice as long, and this is what most of saving small rows costs. */
function addEntryText(entry: ArtifactEntry, kinds: KindText, pieces: string[]): void {
  const { name, type, encoding, info, key, bytes, refs, inline } = entry;
  if (!(inline instanceof KeptJson)) {
    pieces.push(jsonText(entryFields(entry)));
    return;
  }
  const ofInfo = info === undefined ? '' : `,"info":${jsonText(info)}`;
  const ofRefs = refs === undefined ? '' : `,"refs":${jsonText(refs)}`;
  const head = `${ofInfo},"key":"${key}","bytes":${bytes}${ofRefs},"json":`; // a key is hexadecimal digits
  pieces.push('{"name":', jsonText(name), kinds.of(type, encoding), head, inline.text, '}');
}

/** The text of types and encodings, which are those of the row before as a rule. */
class KindText {
  #type = '';
  #encoding = '';
  #text = '';

  of(type: string, encoding: string): string {
    if (type !== this.#type || encoding !== this.#encoding) {
      this.#type = type;
      this.#encoding = encoding;
      this.#text = `,"type":${jsonText(type)},"encoding":${jsonText(encoding)}`;
    }
    return this.#text;
  }
}

/**
 * A row as it stands in the record: flat, with `copy`, `storedBytes`, `root` and `place`, with `own`, or with `json` or `base64`.
 * Written out member by member: a thousand rows by rest and spread take a millisecond.
 */
function entryFields({
  name,
  type,
  encoding,
  info,
  key,
  bytes,
  refs,
  content,
  own,
  inline,
}: ArtifactEntry): object {
  if (content) {
    const { copy, storedBytes, root, place } = content;
    return { name, type, encoding, info, key, bytes, refs, copy, storedBytes, root, place };
  }
  if (own) return { name, type, encoding, info, key, bytes, refs, own };
  if (inline && 'json' in inline) return { name, type, encoding, info, key, bytes, refs, json: inline.json };
  return { name, type, encoding, info, key, bytes, refs, base64: inline?.base64 };
}

/** The table in the member `artifacts` of a record; throws `RECORD_DAMAGED`, naming `what`. */
export function readTable(record: Record<string, unknown>, what: string): ArtifactTable {
  return { artifacts: readObjects(record, 'artifacts', what).map((entry) => readEntry(entry, what)) };
}

function readEntry(row: Record<string, unknown>, what: string): ArtifactEntry {
  const entry: ArtifactEntry = {
    name: readString(row, 'name', what),
    type: readString(row, 'type', what),
    encoding: readString(row, 'encoding', what),
    key: readString(row, 'key', what),
    bytes: readInteger(row, 'bytes', what),
  };
  const info = row.info;
  if (info !== undefined) entry.info = readObject(row, 'info', what) as Record<string, JsonValue>;
  if (row.refs !== undefined) entry.refs = readReferences(row.refs, what);
  if ('json' in row) entry.inline = { json: row.json as JsonValue };
  else if ('base64' in row) entry.inline = { base64: readString(row, 'base64', what) };
  else if ('own' in row) entry.own = readOwnValue(row, what);
  else entry.content = readStoredContent(row, what);
  if (!isUserName(entry.name)) throw noName(what, entry.name);
  if (!isContentKey(entry.key)) throw noKey(what, entry.name);
  return entry;
}

/** Whoever makes files of artifacts relies on their names. */
function noName(what: string, name: string): StowageError {
  const artifact = name.slice(0, 80);
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} has an artifact of a name that nobody can give, ${JSON.stringify(artifact)}; restore it from a copy of the store.`,
    { details: { what, artifact } },
  );
}

function noKey(what: string, artifact: string): StowageError {
  return new StowageError(
    'RECORD_DAMAGED',
    `${what} has no valid key for artifact ${artifact}; restore it from a copy of the store.`,
    {
      details: { what, artifact },
    },
  );
}
