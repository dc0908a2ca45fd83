import { Unavailable } from './faults.ts';

/**
 * The parts of the package `apache-arrow` that are used here, from version 17 on. Types of its own would tie the users of this package to
 * one version of it, installed or not.
 */
export interface ArrowLibrary {
  readonly Table: new (schema: ArrowSchema, batches: readonly ArrowBatch[]) => ArrowTable;
  readonly RecordBatch: new (
    schema: ArrowSchema,
    data: ArrowData,
    metadata?: ReadonlyMap<string, string>,
  ) => ArrowBatch;
  readonly Schema: new (fields: readonly ArrowField[], metadata: ReadonlyMap<string, string>) => ArrowSchema;
  readonly Field: new (
    name: string,
    type: ArrowType,
    nullable: boolean,
    metadata: ReadonlyMap<string, string>,
  ) => ArrowField;
  readonly Struct: new (fields: readonly ArrowField[]) => ArrowType;
  readonly Data: new (
    type: ArrowType,
    offset: number,
    length: number,
    nullCount: number,
    buffers?: readonly (ArrayBufferView | undefined)[],
    children?: readonly ArrowData[],
    dictionary?: ArrowVector,
    variadicBuffers?: readonly Uint8Array[],
  ) => ArrowData;
  readonly Vector: new (chunks: readonly ArrowData[]) => ArrowVector;
  tableToIPC(table: ArrowTable, format: 'stream'): Uint8Array;
  tableFromIPC(bytes: Uint8Array): ArrowTable;
}

export interface ArrowTable {
  readonly schema: ArrowSchema;
  readonly batches: readonly ArrowBatch[];
}

export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

export interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
  readonly nullable: boolean;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The properties of all types together: which of them a type has, its `typeId` tells. */
export interface ArrowType {
  readonly typeId: number;
  readonly children?: readonly ArrowField[] | null;
  readonly ArrayType: TypedArrayClass;
  readonly OffsetArrayType: TypedArrayClass;
  readonly bitWidth: number;
  readonly byteWidth: number;
  readonly dictionary: ArrowType;
  readonly id: number;
  readonly indices: ArrowType;
  readonly isOrdered: boolean;
  readonly isSigned: boolean;
  readonly keysSorted: boolean;
  readonly listSize: number;
  readonly mode: number;
  readonly precision: number;
  readonly scale: number;
  readonly timezone: string | null | undefined;
  readonly typeIds: Int32Array;
  readonly unit: number;
}

export interface ArrowBatch {
  readonly data: ArrowData;
  readonly numRows: number;
  /** Since 21.2. */
  readonly metadata?: ReadonlyMap<string, string>;
}

export interface ArrowVector {
  readonly data: readonly ArrowData[];
}

/** A piece of a column. Its buffers begin at its first row; those of bits (validity, booleans) at `offset` bits before. */
export interface ArrowData {
  readonly type: ArrowType;
  readonly offset: number;
  readonly length: number;
  readonly nullCount: number;
  readonly stride: number;
  readonly values?: TypedArrayView;
  readonly valueOffsets?: TypedArrayView;
  readonly nullBitmap?: Uint8Array;
  readonly typeIds?: TypedArrayView;
  readonly children: readonly ArrowData[];
  readonly dictionary?: ArrowVector;
  readonly variadicBuffers?: readonly Uint8Array[];
  slice(offset: number, length: number): ArrowData;
}

export interface TypedArrayView extends ArrayBufferView {
  readonly length: number;
  readonly [index: number]: number | bigint;
  fill(value: never, start: number): unknown;
  map(change: (element: number | bigint) => never): TypedArrayView;
  slice(): TypedArrayView;
  subarray(start: number, end: number): TypedArrayView;
}

export interface TypedArrayClass {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArrayView;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArrayView;
}

/** The library, once it is needed. */
export async function loadArrow(load: () => Promise<unknown>): Promise<ArrowLibrary> {
  try {
    return (await load()) as ArrowLibrary;
  } catch (cause) {
    throw new Unavailable(
      'the package apache-arrow cannot be loaded',
      'Install it: `npm install apache-arrow`.',
      cause,
    );
  }
}
