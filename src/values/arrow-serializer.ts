import { onUse } from '../async/open-files.ts';
import { type ArrowLibrary, type ArrowTable, loadArrow } from './arrow-library.ts';
import { isArrowTable } from './arrow-table.ts';
import { Malformed, Refusal, Unavailable } from './faults.ts';
import { refuseExtraProperties } from './own-data.ts';
import type { Serializer } from './serializer.ts';

const canonical = onUse(() => import('./arrow-canonical.ts'));
const streams = onUse(() => import('./arrow-stream.ts'));

const ALIGNMENT = 8;

/** The library, and what is needed of our own as soon as there is a table: most programs have none, and import neither. */
interface Parts {
  library: ArrowLibrary;
  canonicalTable(table: ArrowTable, library: ArrowLibrary): ArrowTable;
  checkArrowStream(bytes: Uint8Array): void;
}

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
  let parts: Parts | undefined;
  const loaded = (): Parts => {
    if (parts === undefined) throw new Unavailable('apache-arrow is not loaded', 'Call `prepare` before.');
    return parts;
  };
  return {
    id: 'arrow',
    priority: 100,
    description: 'Apache Arrow tables, as an IPC stream',
    accepts: isArrowTable,
    async prepare() {
      parts ??= await loadParts(load);
    },
    serialize(value) {
      const given = value as ArrowTable;
      refuseExtraProperties(given, 'a Table', Object.keys(given).filter(isOfTable));
      const { library, canonicalTable, checkArrowStream } = loaded();
      const table = canonicalTable(given, library);
      const bytes = library.tableToIPC(table, 'stream');
      ensureReadable(bytes, checkArrowStream);
      const rows = table.batches.reduce((sum, { numRows }) => sum + numRows, 0);
      return { type: 'Table', bytes, info: { rows, columns: table.schema.fields.length } };
    },
    deserialize(bytes) {
      const { library, checkArrowStream } = loaded();
      checkArrowStream(bytes);
      const isAligned = bytes.byteOffset % ALIGNMENT === 0;
      return library.tableFromIPC(isAligned ? bytes : new Uint8Array(bytes));
    },
  };
}

async function loadParts(load: () => Promise<unknown>): Promise<Parts> {
  const library = await loadArrow(load);
  const { canonicalTable } = await canonical();
  const { checkArrowStream } = await streams();
  return { library, canonicalTable, checkArrowStream };
}

/** True if the class itself sets the property; those with an underscore are its memory. */
function isOfTable(key: string): boolean {
  return key === 'schema' || key === 'batches' || key.startsWith('_');
}

/** Nothing is saved that could not be loaded: the library writes columns beyond 2 GiB with lengths that wrapped around. */
function ensureReadable(bytes: Uint8Array, check: Parts['checkArrowStream']): void {
  try {
    check(bytes);
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault;
    throw new Refusal(
      `an Apache Arrow table that cannot be written as an IPC stream (${fault.message})`,
      'Save it in parts: fewer rows in each batch, types that are less nested.',
      fault,
    );
  }
}
