import type { ArrowField, ArrowLibrary, ArrowSchema, ArrowType } from './arrow-library.ts';
import { Refusal } from './faults.ts';

/** The numbers of Arrow's types, which all copies of the library share: those of its `Schema.fbs`, and its own for dictionaries. */
export const TYPE = {
  Dictionary: -1,
  Null: 1,
  Int: 2,
  Float: 3,
  Binary: 4,
  Utf8: 5,
  Bool: 6,
  Decimal: 7,
  Date: 8,
  Time: 9,
  Timestamp: 10,
  Interval: 11,
  List: 12,
  Struct: 13,
  Union: 14,
  FixedSizeBinary: 15,
  FixedSizeList: 16,
  Map: 17,
  Duration: 18,
  LargeBinary: 19,
  LargeUtf8: 20,
  LargeList: 21,
  BinaryView: 23,
  Utf8View: 24,
} as const;

type Make = (type: ArrowType, children: readonly ArrowField[]) => readonly [className: string, ...unknown[]];

/** The class of each type, and what its constructor takes. */
const CONSTRUCTORS: Readonly<Record<number, Make>> = {
  [TYPE.Null]: () => ['Null'],
  [TYPE.Int]: (type) => ['Int', type.isSigned, type.bitWidth],
  [TYPE.Float]: (type) => ['Float', type.precision],
  [TYPE.Binary]: () => ['Binary'],
  [TYPE.Utf8]: () => ['Utf8'],
  [TYPE.Bool]: () => ['Bool'],
  [TYPE.Decimal]: (type) => ['Decimal', type.scale, type.precision, type.bitWidth],
  [TYPE.Date]: (type) => ['Date_', type.unit],
  [TYPE.Time]: (type) => ['Time', type.unit, type.bitWidth],
  [TYPE.Timestamp]: (type) => ['Timestamp', type.unit, type.timezone],
  [TYPE.Interval]: (type) => ['Interval', type.unit],
  [TYPE.List]: (_type, children) => ['List', children[0]],
  [TYPE.Struct]: (_type, children) => ['Struct', children],
  [TYPE.Union]: (type, children) => ['Union', type.mode, type.typeIds, children],
  [TYPE.FixedSizeBinary]: (type) => ['FixedSizeBinary', type.byteWidth],
  [TYPE.FixedSizeList]: (type, children) => ['FixedSizeList', type.listSize, children[0]],
  [TYPE.Map]: (type, children) => ['Map_', children[0], type.keysSorted],
  [TYPE.Duration]: (type) => ['Duration', type.unit],
  [TYPE.LargeBinary]: () => ['LargeBinary'],
  [TYPE.LargeUtf8]: () => ['LargeUtf8'],
  [TYPE.LargeList]: (_type, children) => ['LargeList', children[0]],
  [TYPE.BinaryView]: () => ['BinaryView'],
  [TYPE.Utf8View]: () => ['Utf8View'],
};

/**
 * Types of any copy of the library as those of `library`, with dictionaries counted from 0, one for each place. The library
 * counts all that a process ever made, so that equal tables would have different bytes; and it cannot write two columns of
 * one type that have a dictionary each.
 */
export class ArrowTypes {
  private readonly library: ArrowLibrary;
  private dictionaries = 0;

  constructor(library: ArrowLibrary) {
    this.library = library;
  }

  schema({ fields, metadata }: ArrowSchema): ArrowSchema {
    refuseNamesThatAreLost(fields);
    return new this.library.Schema(this.fields(fields), new Map(metadata));
  }

  private fields(fields: readonly ArrowField[]): ArrowField[] {
    return fields.map(
      ({ name, type, nullable, metadata }) =>
        new this.library.Field(name, this.type(type), nullable, new Map(metadata)),
    );
  }

  private type(type: ArrowType): ArrowType {
    if (type.typeId === TYPE.Dictionary) {
      const id = this.dictionaries++;
      const args = [this.type(type.dictionary), this.type(type.indices), id, type.isOrdered];
      return this.construct(type, ['Dictionary', ...args]);
    }
    if (type.typeId === TYPE.Struct) refuseNamesThatAreLost(type.children ?? []);
    const make = CONSTRUCTORS[type.typeId];
    if (make === undefined) throw unknownType(type);
    return this.construct(type, make(type, this.fields(type.children ?? [])));
  }

  private construct(type: ArrowType, [className, ...args]: readonly [string, ...unknown[]]): ArrowType {
    const Class = (this.library as unknown as Record<string, unknown>)[className];
    if (typeof Class !== 'function') throw unknownType(type);
    return new (Class as new (...args: unknown[]) => ArrowType)(...args);
  }
}

/** The library writes no empty name, reads a missing one as `"null"`, and has no UTF-8 for half a character. */
function refuseNamesThatAreLost(fields: readonly ArrowField[]): void {
  if (fields.every(({ name }) => name !== '' && isWellFormed(name))) return;
  throw new Refusal('an Apache Arrow table with a column that has no name, or not a valid one', 'Rename it.');
}

// ES2024, in every supported runtime.
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function unknownType(type: ArrowType): Refusal {
  return new Refusal(
    `an Apache Arrow table with a column of the type ${String(type)}, which the apache-arrow that is installed here does not have`,
    'Install a newer one: `npm install apache-arrow@latest`.',
  );
}
