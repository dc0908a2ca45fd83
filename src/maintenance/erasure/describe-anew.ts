import { batchesOf } from '../../attempts/own-values.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { ownObjectsOf, type WrittenValue } from '../../content/writing/own-writer.ts';
import { HERE } from '../../format/content-ref.ts';
import { tryCreateOwn } from '../../format/create-own.ts';
import { erasureFields } from '../../format/current-description.ts';
import {
  type ArtifactEntry,
  type Description,
  encodeDescription,
  encodeTable,
  MAX_TABLE_BYTES,
} from '../../format/description.ts';
import type { OwnObject, OwnValue } from '../../format/own-values.ts';
import { erasedFile, thisOwner } from '../../format/session-files.ts';
import type { StoredContent } from '../../format/stored-content.ts';
import type { Session } from '../../sessions/session.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { EraserSession } from './eraser-session.ts';
import { type Holding, isPurged } from './holding.ts';

/** What an erasure says of itself in a description. */
export interface ErasureReason {
  reason: string;
  /** ISO 8601. */
  at: string;
}

/**
 * Describes a closed session anew, without what is to go (model: `write anew`, `describe anew`): values that lie in one object with such are written anew first, under the
 * eraser's session, which is open until the description stands. Resolves to `false` where another erasure described the session meanwhile.
 *
 * @throws StowageError `ATTEMPT_FENCED` where a collector gave up on the session; `CONTENT_DAMAGED`, `CONTENT_NOT_FOUND` for a value that would have to be written anew and cannot be read: nothing was changed then
 */
export async function describeAnew(
  content: ContentStore,
  eraser: EraserSession,
  holding: Holding,
  { reason, at }: ErasureReason,
  options: CallOptions,
): Promise<boolean> {
  const session = await eraser.get();
  const { listed, description, erased, rows } = holding;
  const { artifacts, values } = await moveValues(content, session, holding, options);
  const revision = (erased?.revision ?? -1) + 1;
  const gone = [...(erased?.artifacts ?? []), ...rows.map(({ name }) => name)];
  const fields = erasureFields({ revision, reason, artifacts: gone, at, by: thisOwner() });
  const left = new Set(holding.reports);
  const describe = (table: Description['table']): Uint8Array =>
    encodeDescription({
      ...description,
      subject: { ...listed.subject, ...fields },
      table,
      values,
      reports: description.reports.filter((report) => !left.has(report)),
    });
  let body = describe({ artifacts });
  if (body.length > MAX_TABLE_BYTES) {
    const [table] = (await session.put([{ bytes: encodeTable({ artifacts }) }], options)) as [StoredContent];
    body = describe(table);
  }
  // What lies at other places is durable before anything names it.
  await session.persistElsewhere(options);
  await eraser.ensureOpen();
  const name = listed.base + erasedFile(revision);
  return tryCreateOwn(content.storage, name, body, { ...options, durability: 'barrier' });
}

/** The rows that stay, and the objects of values that they need: those that hold something that goes are written anew without it. */
async function moveValues(
  content: ContentStore,
  session: Session,
  holding: Holding,
  options: CallOptions,
): Promise<{ artifacts: ArtifactEntry[]; values: OwnObject[] }> {
  const { listed, description, rest } = holding;
  const base = listed.values;
  const going = new Set(holding.objects.map(({ object }) => object));
  const staying = description.values.filter(({ object }) => !going.has(object));
  const toMove = rest.filter(({ own }) => own && going.has(own.object));
  if (base === undefined || toMove.length === 0 || isPurged(holding))
    return { artifacts: [...rest], values: staying };
  const moved = new Map<ArtifactEntry, WrittenValue>();
  for (const batch of batchesOf(toMove, ({ bytes }) => bytes)) {
    const read = await readValues(content, base, batch, options);
    const values = batch.map(({ own }, index) => ({ bytes: read[index] as Uint8Array, place: own?.place }));
    const written = await session.putOwn(values, { ...options, base });
    for (const [index, row] of batch.entries()) moved.set(row, written[index] as WrittenValue);
  }
  const artifacts = rest.map((row) => {
    const own = moved.get(row)?.own;
    return own ? { ...row, own } : row;
  });
  const rows = [...moved].map(([entry, { within }]) => ({ entry, within }));
  return { artifacts, values: [...staying, ...ownObjectsOf(rows)] };
}

async function readValues(
  content: ContentStore,
  base: string,
  rows: readonly ArtifactEntry[],
  options: CallOptions,
): Promise<Uint8Array[]> {
  const byPlace = new Map<string, ArtifactEntry[]>();
  for (const row of rows) {
    const { place = HERE } = row.own ?? {};
    byPlace.set(place, [...(byPlace.get(place) ?? []), row]);
  }
  const read = new Map<ArtifactEntry, Uint8Array>();
  for (const at of byPlace.values()) {
    const addresses = at.map(({ key, bytes, own }) => ({ key, bytes, own: own as OwnValue }));
    const values = await content.reader.loadOwn(base, addresses, options);
    for (const row of at) {
      const bytes = values.get(row.key);
      if (!(bytes instanceof Uint8Array)) throw bytes;
      read.set(row, bytes);
    }
  }
  return rows.map((row) => read.get(row) as Uint8Array);
}
