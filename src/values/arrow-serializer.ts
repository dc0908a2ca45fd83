import { canonicalTable } from './arrow-canonical.ts';
import { type ArrowLibrary, type ArrowTable, loadArrow } from './arrow-library.ts';
import { checkArrowStream } from './arrow-stream.ts';
import { isArrowTable } from './arrow-table.ts';
import { Malformed, Refusal, Unavailable } from './faults.ts';
import { refuseExtraProperties } from './own-data.ts';
import type { Serializer } from './serializer.ts';

const ALIGNMENT = 8;

/**
 * Apache Arrow tables as an IPC stream, which any Arrow library reads. The columns come back over the loaded bytes, without a
 * copy where those are aligned. A stream, not a file: only a stream can hold batches with dictionaries of their own.
 *
 * Equal bytes need equal batches: the same rows in other batches are other bytes, and so are other values beneath nulls, or
 * dictionaries in another order. Slices, the numbers of dictionaries and the copy of the library make no difference.
 *
 * `load` imports the library when the first table is saved or loaded; by default the `apache-arrow` that Node finds.
 */
export function arrowSerializer(load: () => Promise<unknown> = () => import('apache-arrow')): Serializer {
  let library: ArrowLibrary | undefined;
  const loaded = (): ArrowLibrary => {
    if (library === undefined) throw new Unavailable('apache-arrow is not loaded', 'Call `prepare` before.');
    return library;
  };
  return {
    id: 'arrow',
    priority: 100,
    description: 'Apache Arrow tables, as an IPC stream',
    accepts: isArrowTable,
    async prepare() {
      library ??= await loadArrow(load);
    },
    serialize(value) {
      const given = value as ArrowTable;
      refuseExtraProperties(given, 'a Table', Object.keys(given).filter(isOfTable));
      const table = canonicalTable(given, loaded());
      const bytes = loaded().tableToIPC(table, 'stream');
      ensureReadable(bytes);
      const rows = table.batches.reduce((sum, { numRows }) => sum + numRows, 0);
      return { type: 'Table', bytes, info: { rows, columns: table.schema.fields.length } };
    },
    deserialize(bytes) {
      checkArrowStream(bytes);
      const isAligned = bytes.byteOffset % ALIGNMENT === 0;
      return loaded().tableFromIPC(isAligned ? bytes : new Uint8Array(bytes));
    },
  };
}

/** True if the class itself sets the property; those with an underscore are its memory. */
function isOfTable(key: string): boolean {
  return key === 'schema' || key === 'batches' || key.startsWith('_');
}

/** Nothing is saved that could not be loaded: the library writes columns beyond 2 GiB with lengths that wrapped around. */
function ensureReadable(bytes: Uint8Array): void {
  try {
    checkArrowStream(bytes);
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault;
    throw new Refusal(
      `an Apache Arrow table that cannot be written as an IPC stream (${fault.message})`,
      'Save it in parts: fewer rows in each batch, types that are less nested.',
      fault,
    );
  }
}
