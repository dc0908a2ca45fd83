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
import { batchesOf, type GatheredValues } from './own-values.ts';

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

/** A row of another attempt. */
export interface OriginRow {
  origin: AttemptView;
  row: TableRow;
}

/**
 * Copies small values of other attempts; those that lie in their own objects by one GET for an object of them, side by side, and one PUT
 * for all that one object holds. Rows come in the order of `rows`; an error for one whose value is gone or damaged.
 */
export async function copyValues(
  rows: readonly OriginRow[],
  session: Session,
  { ownBytes, address, samePlace = false, progress }: Storing,
  options: CallOptions,
): Promise<(TableRow | StowageError)[]> {
  const copied = new Map<OriginRow, TableRow | StowageError>();
  for (const batch of batchesOf(rows, ({ row }) => row.entry.bytes)) {
    const gathered = await gatherFrom(batch, options);
    const found = new Map<OriginRow, ValueInput>();
    await mapBounded(batch, CONCURRENCY, async (one) => {
      const { origin, row } = one;
      const { entry } = row;
      try {
        const bytes = entry.content
          ? await origin.content.reader.load(entry.content, options)
          : await origin.ownBytes(entry, options, gathered.get(origin));
        const { place = HERE } = entry.own ?? entry.content ?? {};
        const where = samePlace ? { place } : { address };
        found.set(one, { bytes, elementBytes: elementBytesOf(entry), progress, ...where });
      } catch (error) {
        if (!isStowageError(error, ...CONTENT_FAULTS)) throw error;
        copied.set(one, error);
      }
    });
    const stored = await storeValues([...found.values()], session, ownBytes, options);
    for (const [index, one] of [...found.keys()].entries())
      copied.set(one, movedRow(one.row, stored[index] as StoredValue));
  }
  return rows.map((one) => copied.get(one) as TableRow | StowageError);
}

/** The values that lie in objects of their attempts, by attempt. */
async function gatherFrom(
  rows: readonly OriginRow[],
  options: CallOptions,
): Promise<Map<AttemptView, GatheredValues>> {
  const byOrigin = new Map<AttemptView, ArtifactEntry[]>();
  for (const { origin, row } of rows) {
    const entries = byOrigin.get(origin);
    if (entries) entries.push(row.entry);
    else byOrigin.set(origin, [row.entry]);
  }
  const gathered = new Map<AttemptView, GatheredValues>();
  await mapBounded(byOrigin, CONCURRENCY, async ([origin, entries]) => {
    gathered.set(origin, await origin.gather(entries, options));
  });
  return gathered;
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
