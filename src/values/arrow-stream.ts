import { TYPE } from './arrow-types.ts';
import { Malformed } from './faults.ts';
import { FlatTable } from './flat-table.ts';

// Fields by their index in Arrow's Message.fbs and Schema.fbs.
const MESSAGE = { version: 0, headerType: 1, header: 2, bodyLength: 3, metadata: 4 };
const SCHEMA = { endianness: 0, fields: 1, metadata: 2 };
const FIELD = { name: 0, typeId: 2, type: 3, dictionary: 4, children: 5, metadata: 6 };
const KEY_VALUE = { key: 0, value: 1 };
const TIMESTAMP = { timezone: 1 };
const UNION = { typeIds: 1 };
const BATCH = { length: 0, nodes: 1, buffers: 2, compression: 3, variadicCounts: 4 };
const DICTIONARY_BATCH = { data: 1 };

const HEADER = { schema: 1, dictionaryBatch: 2, recordBatch: 3 };
const V4 = 3;
const V5 = 4;
const CONTINUATION = -1;
/** A FieldNode is a length and a count of nulls, a Buffer an offset and a length, in 64 bits each. */
const STRUCT_BYTES = 16;
/** The depth at which Arrow's own readers stop. */
const MAX_DEPTH = 64;
/** The most that the library writes. */
const MAX_ROWS = 2 ** 31 - 1;
/** A column of nothing but these can have rows without bytes. */
const MAYBE_WITHOUT_BYTES: ReadonlySet<number> = new Set([TYPE.Null, TYPE.Struct, TYPE.FixedSizeList]);

/** A column, by its schema. */
interface Column {
  /** The nodes of a batch that it takes: its own and its children's. */
  readonly nodes: number;
  /** True if each of its rows takes a bit at least. */
  readonly takesBytes: boolean;
}

/**
 * Checks that `bytes` are one whole Arrow IPC stream
 * (https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format) of one schema, little-endian and uncompressed,
 * that declares no more than there is.
 *
 * `apache-arrow` believes what it reads: a few bytes could have it loop for hours, or allocate gigabytes. Compressed bodies,
 * which it reads with a codec of the application's, have no place here: content is compressed as a whole.
 *
 * @throws Malformed
 */
export function checkArrowStream(bytes: Uint8Array): void {
  try {
    checkMessages(bytes);
  } catch (fault) {
    if (fault instanceof RangeError) throw new Malformed('its metadata leads outside of itself');
    throw fault;
  }
}

/** A message of a stream, and where in it it lies. */
export interface ArrowMessage {
  readonly kind: 'schema' | 'dictionary' | 'rows';
  readonly offset: number;
  readonly length: number;
  /** The rows of a batch; 0 of other messages. */
  readonly rows: number;
}

/** Of most messages, all but their body. */
const HEAD_BYTES = 4096;

/**
 * Lists the messages of an Arrow IPC stream of `size` bytes without reading their bodies. What they declare is checked as far as it leads within
 * the stream; the bodies are not.
 *
 * @throws Malformed
 */
export async function* arrowMessages(
  read: (offset: number, length: number) => Promise<Uint8Array>,
  size: number,
): AsyncGenerator<ArrowMessage> {
  let position = 0;
  while (position + 8 <= size) {
    const head = await read(position, Math.min(HEAD_BYTES, size - position));
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    if (head.length < 8 || view.getInt32(0, true) !== CONTINUATION)
      throw new Malformed('a message does not begin as one');
    const metadataBytes = view.getUint32(4, true);
    if (metadataBytes === 0) return;
    if (position + 8 + metadataBytes > size) throw new Malformed('a message declares more than there is');
    const isThere = head.length >= 8 + metadataBytes;
    const metadata = isThere
      ? head.slice(8, 8 + metadataBytes)
      : (await read(position + 8, metadataBytes)).slice();
    const { kind, rows, bodyBytes } = messageOf(metadata);
    const length = 8 + metadataBytes + bodyBytes;
    if (bodyBytes < 0 || position + length > size)
      throw new Malformed('a message declares more than there is');
    yield { kind, offset: position, length, rows };
    position += length;
  }
  throw new Malformed('it ends before its end is declared');
}

function messageOf(metadata: Uint8Array): Pick<ArrowMessage, 'kind' | 'rows'> & { bodyBytes: number } {
  try {
    const message = FlatTable.root(metadata);
    const bodyBytes = message.int64(MESSAGE.bodyLength);
    const type = message.uint8(MESSAGE.headerType);
    if (type === HEADER.schema) return { kind: 'schema', rows: 0, bodyBytes };
    if (type === HEADER.dictionaryBatch) return { kind: 'dictionary', rows: 0, bodyBytes };
    const rows = message.table(MESSAGE.header)?.int64(BATCH.length) ?? 0;
    if (type !== HEADER.recordBatch || rows < 0)
      throw new Malformed(`a message of the type ${type} is out of place`);
    return { kind: 'rows', rows, bodyBytes };
  } catch (fault) {
    if (fault instanceof RangeError) throw new Malformed('its metadata leads outside of itself');
    throw fault;
  }
}

function checkMessages(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let columns: readonly Column[] | undefined;
  let position = 0;
  while (position + 8 <= bytes.length) {
    if (view.getInt32(position, true) !== CONTINUATION)
      throw new Malformed('a message does not begin as one');
    const metadataBytes = view.getUint32(position + 4, true);
    position += 8;
    if (metadataBytes === 0) {
      if (columns === undefined) throw new Malformed('it has no schema');
      if (position < bytes.length) throw new Malformed(`${bytes.length - position} bytes follow its end`);
      return;
    }
    const message = FlatTable.root(take(bytes, position, metadataBytes));
    position += metadataBytes;
    const bodyBytes = message.int64(MESSAGE.bodyLength);
    take(bytes, position, bodyBytes);
    position += bodyBytes;
    columns = checkMessage(message, bodyBytes, columns);
  }
  throw new Malformed('it ends before its end is declared');
}

/** A part of the stream, which is a multiple of 8 bytes, so that everything stays aligned. */
function take(bytes: Uint8Array, position: number, length: number): Uint8Array {
  if (length < 0 || length % 8 !== 0 || position + length > bytes.length) {
    throw new Malformed(`a message declares ${length} bytes where ${bytes.length - position} are left`);
  }
  return bytes.subarray(position, position + length);
}

function checkMessage(
  message: FlatTable,
  bodyBytes: number,
  columns: readonly Column[] | undefined,
): readonly Column[] {
  const version = message.int16(MESSAGE.version);
  if (version !== V4 && version !== V5) throw new Malformed(`its metadata version ${version} is unknown`);
  checkMetadata(message, MESSAGE.metadata);
  const header = message.table(MESSAGE.header);
  const headerType = message.uint8(MESSAGE.headerType);
  if (header === undefined) throw new Malformed('a message is empty');
  if (headerType === HEADER.schema && columns === undefined) return checkSchema(header);
  if (headerType === HEADER.recordBatch && columns !== undefined) {
    checkRows(header, checkBatch(header, bodyBytes), bodyBytes, columns);
    return columns;
  }
  if (headerType === HEADER.dictionaryBatch && columns !== undefined) {
    const batch = header.table(DICTIONARY_BATCH.data);
    if (batch === undefined) throw new Malformed('a dictionary is empty');
    checkBatch(batch, bodyBytes);
    return columns;
  }
  throw new Malformed(`a message of the type ${headerType} is out of place`);
}

function checkSchema(schema: FlatTable): readonly Column[] {
  if (schema.int16(SCHEMA.endianness) !== 0) throw new Malformed('it is not little-endian');
  checkMetadata(schema, SCHEMA.metadata);
  return Array.from(schema.tables(SCHEMA.fields), (field) => checkField(field, 1));
}

function checkField(field: FlatTable, depth: number): Column {
  if (depth > MAX_DEPTH) throw new Malformed(`its types are nested deeper than ${MAX_DEPTH} levels`);
  field.vector(FIELD.name, 1);
  checkMetadata(field, FIELD.metadata);
  const typeId = field.uint8(FIELD.typeId);
  const type = field.table(FIELD.type);
  if (typeId === TYPE.Timestamp) type?.vector(TIMESTAMP.timezone, 1);
  if (typeId === TYPE.Union) type?.vector(UNION.typeIds, 4);
  let nodes = 1;
  for (const child of field.tables(FIELD.children)) nodes += checkField(child, depth + 1).nodes;
  if (field.table(FIELD.dictionary) !== undefined) return { nodes: 1, takesBytes: true };
  return { nodes, takesBytes: !MAYBE_WITHOUT_BYTES.has(typeId) };
}

function checkMetadata(table: FlatTable, field: number): void {
  for (const entry of table.tables(field)) {
    entry.vector(KEY_VALUE.key, 1);
    entry.vector(KEY_VALUE.value, 1);
  }
}

/** Checks that the buffers of a batch lie in its body; gives the lengths of its nodes. */
function checkBatch(batch: FlatTable, bodyBytes: number): readonly number[] {
  if (batch.table(BATCH.compression) !== undefined) {
    throw new Malformed('its record batches are compressed, which this encoding excludes');
  }
  const buffers = batch.vector(BATCH.buffers, STRUCT_BYTES);
  for (let index = 0; index < buffers.length; index++) {
    const offset = batch.int64At(buffers.position + index * STRUCT_BYTES);
    const length = batch.int64At(buffers.position + index * STRUCT_BYTES + 8);
    if (offset < 0 || length < 0 || offset + length > bodyBytes) {
      throw new Malformed('a column lies outside of its record batch');
    }
  }
  const variadic = batch.vector(BATCH.variadicCounts, 8);
  for (let index = 0; index < variadic.length; index++) {
    const count = batch.int64At(variadic.position + index * 8);
    if (count < 0 || count > buffers.length) throw new Malformed('a column has more buffers than there are');
  }
  const nodes = batch.vector(BATCH.nodes, STRUCT_BYTES);
  return Array.from({ length: nodes.length }, (_, index) =>
    batch.int64At(nodes.position + index * STRUCT_BYTES),
  );
}

/** Checks that all columns have as many rows as the batch, which the library would fill up, and bytes for them. */
function checkRows(
  batch: FlatTable,
  nodeLengths: readonly number[],
  bodyBytes: number,
  columns: readonly Column[],
): void {
  const rows = batch.int64(BATCH.length);
  if (rows < 0 || rows > MAX_ROWS) throw new Malformed(`a record batch declares ${rows} rows`);
  let node = 0;
  for (const { nodes, takesBytes } of columns) {
    if (nodeLengths[node] !== rows) throw new Malformed('a column has other rows than its record batch');
    if (takesBytes && rows > 8 * bodyBytes) {
      throw new Malformed('a record batch declares more rows than there are bytes for');
    }
    node += nodes;
  }
  if (node !== nodeLengths.length) throw new Malformed('a record batch does not fit the schema');
}
