import { mapBounded } from '../async/bounded-work.ts';
import type { WorkCounter } from '../async/progress.ts';
import type { ContentInput } from '../content/writing/content-writer.ts';
import type { WrittenObject } from '../content/writing/own-writer.ts';
import { isStowageError, type StowageError } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { ELEMENT_TYPES } from '../values/element-types.ts';
import { type AttemptView, CONTENT_FAULTS } from './attempt-view.ts';
import { batchesOf } from './own-values.ts';

/** A row, and the attempt's own object that holds the value, if one does. */
export interface TableRow {
  entry: ArtifactEntry;
  within?: WrittenObject | undefined;
}

/** A serialized value that is too large for the table. */
export interface ValueInput extends Omit<ContentInput, 'isAbsent'> {
  /** The address of the place that it goes to. Default: the store itself. */
  address?: string | undefined;
  /** The id of that place, instead of its address. */
  place?: string | undefined;
}

/** The members of a row that tell where its bytes lie. */
export interface StoredValue extends Pick<ArtifactEntry, 'key' | 'bytes' | 'content' | 'own'> {
  /** The object that holds them, where it is the attempt's own. */
  within?: WrittenObject;
}

/**
 * Stores values, each at its place: as objects of the attempt's own those under `ownBytes` where a look costs a request, as content
 * that attempts share all others. Every place is found before anything is written. Results come in the order of `values`.
 */
export async function storeValues(
  values: readonly ValueInput[],
  session: Session,
  ownBytes: number,
  options: CallOptions,
): Promise<StoredValue[]> {
  const own: (ValueInput & { place: string })[] = [];
  const shared: (ValueInput & { place: string })[] = [];
  const placed: (ValueInput & { place: string })[] = [];
  for (const value of values) {
    const place = value.place ?? (await session.locate(value.address, options));
    const input = { ...value, place };
    const isOwn = value.bytes.length < ownBytes && (await session.keepsOwn(input, options));
    (isOwn ? own : shared).push(input);
    placed.push(input);
  }
  const stored = new Map<ValueInput, StoredValue>();
  const kept = own.length === 0 ? [] : await session.putOwn(own, options);
  kept.forEach((value, index) => {
    stored.set(own[index] as ValueInput, value);
  });
  const contents = shared.length === 0 ? [] : await session.put(shared, options);
  contents.forEach((content, index) => {
    stored.set(shared[index] as ValueInput, { key: content.key, bytes: content.bytes, content });
  });
  return placed.map((value) => stored.get(value) as StoredValue);
}

/** The destination of values. */
export interface Storing {
  /** Values under this many bytes are the attempt's own where a look costs a request. */
  ownBytes: number;
  /** The address of the place. Default: the store itself. */
  address: string | undefined;
  /** Values that are copied go to the place where they were. Default `false`: to the address. */
  samePlace?: boolean;
  /** Counts the values. Default: nobody. */
  progress?: WorkCounter | undefined;
}

/** So many values that are not the origin's own are read at once. */
const CONCURRENCY = 16;

/**
 * Copies small values of another attempt; those that lie in its own objects by one GET and one PUT for an object of them. Rows come in
 * the order of `rows`; an error for one whose value is gone or damaged.
 */
export async function copyValues(
  origin: AttemptView,
  rows: readonly TableRow[],
  session: Session,
  { ownBytes, address, samePlace = false, progress }: Storing,
  options: CallOptions,
): Promise<(TableRow | StowageError)[]> {
  const copied = new Map<TableRow, TableRow | StowageError>();
  for (const batch of batchesOf(rows, ({ entry }) => entry.bytes)) {
    const gathered = await origin.gather(
      batch.map(({ entry }) => entry),
      options,
    );
    const found: { row: TableRow; value: ValueInput }[] = [];
    await mapBounded(batch, CONCURRENCY, async (row) => {
      const { entry } = row;
      try {
        const bytes = entry.content
          ? await origin.content.reader.load(entry.content, options)
          : await origin.ownBytes(entry, options, gathered);
        const { place = HERE } = entry.own ?? entry.content ?? {};
        const where = samePlace ? { place } : { address };
        found.push({ row, value: { bytes, elementBytes: elementBytesOf(entry), progress, ...where } });
      } catch (error) {
        if (!isStowageError(error, ...CONTENT_FAULTS)) throw error;
        copied.set(row, error);
      }
    });
    const values = found.map(({ value }) => value);
    const stored = await storeValues(values, session, ownBytes, options);
    found.forEach(({ row }, index) => {
      copied.set(row, movedRow(row, stored[index] as StoredValue));
    });
  }
  return rows.map((row) => copied.get(row) as TableRow | StowageError);
}

/** The row, with its bytes where they were stored now. */
export function movedRow({ entry }: TableRow, { within, ...where }: StoredValue): TableRow {
  const { content: _content, own: _own, ...rest } = entry;
  return { entry: { ...rest, ...where }, within };
}

/** The width of the elements of an artifact's bytes, for byte-grouped compression. */
export function elementBytesOf({ encoding, type }: ArtifactEntry): number | undefined {
  if (encoding !== 'typed-array') return undefined;
  const width = ELEMENT_TYPES.find(({ name }) => name === type)?.elementBytes;
  return width === 1 ? undefined : width;
}
