import { bits, elements, fromZero, offsetsOf, validityOf } from './arrow-buffers.ts';
import type {
  ArrowBatch,
  ArrowData,
  ArrowField,
  ArrowLibrary,
  ArrowTable,
  ArrowType,
  ArrowVector,
} from './arrow-library.ts';
import { ArrowTypes, TYPE } from './arrow-types.ts';
import { Refusal } from './faults.ts';

/**
 * A table of any copy of the library as one of `library`, over the same memory, in the form that its writer makes the
 * right bytes of: the pieces of columns begin at their first bit, and have all rows of their batch. (Left to itself, the
 * writer writes other values than there are for slices of views, and too few for columns that are padded with nulls.)
 */
export function canonicalTable(table: ArrowTable, library: ArrowLibrary): ArrowTable {
  const schema = new ArrowTypes(library).schema(table.schema);
  const pieces = new Pieces(library);
  const batches = table.batches.filter(holdsAnything).map(({ data, metadata, numRows }) => {
    const columns = schema.fields.map(({ type }, index) => pieces.piece(data.children[index], type, numRows));
    const rows = new library.Data(new library.Struct(schema.fields), 0, numRows, 0, [], columns);
    // Before 21.2 there is no metadata, and a third argument is refused.
    return metadata !== undefined && metadata.size > 0
      ? new library.RecordBatch(schema, rows, new Map(metadata))
      : new library.RecordBatch(schema, rows);
  });
  return new library.Table(schema, batches);
}

/** False for the batch without rows that the library reads where there is none. */
function holdsAnything({ numRows, metadata }: ArrowBatch): boolean {
  return numRows > 0 || (metadata !== undefined && metadata.size > 0);
}

/** The parts of a piece beside its validity. */
interface Contents {
  readonly offsets?: ArrayBufferView;
  readonly values?: ArrayBufferView;
  readonly children?: readonly ArrowData[];
}

class Pieces {
  private readonly library: ArrowLibrary;
  // The writer tells by identity whether a batch goes on with the dictionary of the one before.
  private readonly chunks = new Map<ArrowData, ArrowData>();
  private readonly dictionaries = new Map<ArrowVector, ArrowVector>();

  constructor(library: ArrowLibrary) {
    this.library = library;
  }

  /** A piece of a column with `length` rows: those of `given`, then nulls. */
  piece(given: ArrowData | undefined, type: ArrowType, length: number): ArrowData {
    if (given !== undefined && given.type.typeId !== type.typeId) throw inconsistent();
    const source = given !== undefined && given.length > length ? given.slice(0, length) : given;
    if (type.typeId === TYPE.Null) return new this.library.Data(type, 0, length, length);
    if (type.typeId === TYPE.Union) return this.union(source, type, length);
    const { offsets, values, children = [] } = this.contents(source, type, length);
    const nullCount = Math.max(source?.nullCount ?? 0, 0) + length - (source?.length ?? 0);
    const validity = nullCount === 0 ? undefined : validityOf(source, length);
    const dictionary = source?.dictionary && this.dictionary(source.dictionary, type.dictionary);
    const buffers = [offsets, values, validity];
    const more = source?.variadicBuffers ?? [];
    return new this.library.Data(type, 0, length, nullCount, buffers, children, dictionary, more);
  }

  private contents(source: ArrowData | undefined, type: ArrowType, length: number): Contents {
    switch (type.typeId) {
      case TYPE.Bool:
        return { values: bits(source?.values as Uint8Array | undefined, source?.offset ?? 0, length) };
      case TYPE.Binary:
      case TYPE.LargeBinary:
      case TYPE.Utf8:
      case TYPE.LargeUtf8: {
        const offsets = offsetsOf(source?.valueOffsets, type.OffsetArrayType, length);
        return { offsets, values: source?.values ?? new Uint8Array(0) };
      }
      case TYPE.List:
      case TYPE.LargeList:
      case TYPE.Map:
        return this.list(source, type, length);
      case TYPE.Struct:
        return { children: this.children(source, type, length) };
      case TYPE.FixedSizeList:
        return { children: this.children(source, type, length * type.listSize) };
      default: {
        const { ArrayType } = type.typeId === TYPE.Dictionary ? type.indices : type;
        const { stride } = new this.library.Data(type, 0, 0, 0);
        return { values: elements(source?.values, ArrayType, length * stride) };
      }
    }
  }

  /** Takes only the part of the child that the offsets lead to. */
  private list(source: ArrowData | undefined, type: ArrowType, length: number): Contents {
    const offsets = offsetsOf(source?.valueOffsets, type.OffsetArrayType, length);
    const begin = Number(offsets[0]);
    const count = Number(offsets[length]) - begin;
    const items = source?.children[0]?.slice(begin, count);
    const [field] = type.children as readonly [ArrowField];
    return { offsets: fromZero(offsets), children: [this.piece(items, field.type, count)] };
  }

  private children(source: ArrowData | undefined, type: ArrowType, length: number): ArrowData[] {
    const fields = type.children ?? [];
    return fields.map((field, index) => this.piece(source?.children[index], field.type, length));
  }

  /** A union has no nulls of its own that it could be filled up with. */
  private union(source: ArrowData | undefined, type: ArrowType, length: number): ArrowData {
    const typeIds = source?.typeIds?.subarray(0, length);
    if (source === undefined || typeIds === undefined || typeIds.length < length) throw inconsistent();
    const offsets = source.valueOffsets?.subarray(0, length);
    const fields = type.children ?? [];
    const children = fields.map((field, index) => {
      const child = source.children[index];
      const rows = offsets === undefined ? length : (child?.length ?? 0);
      return this.piece(child, field.type, rows);
    });
    return new this.library.Data(type, 0, length, 0, [offsets, undefined, undefined, typeIds], children);
  }

  private dictionary(vector: ArrowVector, type: ArrowType): ArrowVector {
    return remembered(this.dictionaries, vector, () => {
      const chunks = vector.data.map((chunk) =>
        remembered(this.chunks, chunk, () => this.piece(chunk, type, chunk.length)),
      );
      return new this.library.Vector(chunks);
    });
  }
}

function remembered<T>(made: Map<T, T>, key: T, make: () => T): T {
  const before = made.get(key);
  if (before !== undefined) return before;
  const value = make();
  made.set(key, value);
  return value;
}

function inconsistent(): Refusal {
  return new Refusal(
    'an Apache Arrow table whose columns do not fit its schema',
    'Make it again from its columns, of equal lengths: `new Table({ name: vector })`.',
  );
}
