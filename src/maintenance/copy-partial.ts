import { partialBase, readDone } from '../format/attempt-files.ts';
import { type PartialName, parsePartialName } from '../format/partial-names.ts';
import { encodePartial, type PartialRecord, readPartial } from '../format/partial-records.ts';
import { type CopyIdentity, movedRow, type StoredContents } from '../sessions/copied-session.ts';
import type { Session } from '../sessions/session.ts';
import { ifWhole } from '../trace/recorded-rows.ts';
import {
  contentsOf,
  type SourceAttempt,
  type SourceContent,
  type StagedContents,
  stageContents,
} from './copy-content.ts';
import type { CopyContext } from './copy-context.ts';

/** A record that an attempt of the source left for the one after it, and what it names. */
export interface PartialToCopy {
  name: PartialName;
  record: PartialRecord;
  contents: readonly SourceContent[];
}

/**
 * Reads the traces and the last checkpoint of an attempt that was not done: what a retry in the target would go on from. None behind a later
 * attempt that is done. One that is gone or damaged is none, as for a retry. One LIST, and a GET each.
 *
 * @param later - attempts after it that are closed
 */
export async function partialOf(
  context: CopyContext,
  { path, attempt }: SourceAttempt,
  later: readonly number[],
): Promise<PartialToCopy[]> {
  const { options } = context;
  const { storage } = context.source;
  const names: PartialName[] = [];
  for await (const page of storage.list({ prefix: `${partialBase(path, attempt)}.`, ...options })) {
    for (const { name } of page.objects) {
      const parsed = parsePartialName(name);
      // The checkpoints of an attempt lie one after the other; the last one counts.
      if (parsed?.kind === 'checkpoint' && names.at(-1)?.kind === 'checkpoint') names.pop();
      if (parsed) names.push(parsed);
    }
  }
  if (names.length === 0) return [];
  for (const number of later)
    if ((await readDone(storage, path, number, options))?.outcome === 'done') return [];
  const found: PartialToCopy[] = [];
  for (const name of names) {
    const one = await ifWhole(async () => {
      const record = await readPartial(storage, name, options);
      return record && { name, record, contents: await contentsOf(context, record.table) };
    });
    if (one) found.push(one);
  }
  return found;
}

/** Has what records name in the target, beside what is staged already. Records whose content is gone are left out. */
export async function stagePartial(
  context: CopyContext,
  records: readonly PartialToCopy[],
  session: Session,
  staged: StagedContents,
): Promise<{ records: PartialToCopy[]; staged: StagedContents }> {
  const kept: PartialToCopy[] = [];
  const [contents, stored] = [[...staged.contents], new Map(staged.stored)];
  let { contentBytes, bytesDeduplicated } = staged;
  for (const one of records) {
    const fresh = one.contents.filter(({ address }) => !stored.has(address.key));
    const found = await ifWhole(() => stageContents(context, fresh, session));
    if (!found) continue;
    kept.push(one);
    contents.push(...fresh);
    for (const [key, content] of found.stored) stored.set(key, content);
    contentBytes += found.contentBytes;
    bytesDeduplicated += found.bytesDeduplicated;
  }
  return { records: kept, staged: { contents, stored, session, contentBytes, bytesDeduplicated } };
}

/** Writes records under the copy's session, before it is closed. What another copier wrote says the same. */
export async function writePartial(
  { target, options }: CopyContext,
  { session }: CopyIdentity,
  records: readonly PartialToCopy[],
  stored: StoredContents,
): Promise<void> {
  for (const { name, record } of records) {
    const table = { artifacts: record.table.artifacts.map((row) => movedRow(row, stored)) };
    const body = encodePartial(name, { ...record, session, table });
    const { storage } = target;
    if (!(await storage.create(name.name, body, { ...options, durability: 'deferred' })))
      await storage.persist([name.name], options);
  }
}
